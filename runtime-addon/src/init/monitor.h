#pragma once

#include "spec.h"
#include "status.h"

// The process outside: starts the sandbox's first process, relays the command's output, passes signals on, and kills
// everything when the caller asks (a zero byte on the status channel) or is gone (its hang-up). Other bytes there are numbers
// of signals for the command. Its exit code only says whether a sandbox was made; the command's end is a status line.
// Also returns, with an exit code, in the processes that it makes.
int run_monitor(const Spec& spec, const Status& status);
