#pragma once

#include "fd.h"
#include "mapped.h"
#include "spec.h"
#include "status.h"

// The first process of the sandbox: makes the root file system, starts the command, reaps, and hands the command's wait
// status (an int) to the monitor through `monitor`. From there come bytes: numbers of signals for the command.
// When it returns, everything in the sandbox dies. The result is the process's exit code.
int run_init(const Spec& spec, const Status& status, const Fd& monitor, Mapped& mapped);
