#pragma once

#include "spec.h"
#include "status.h"

// The last steps of the command's own process: session, limits, directory, user, capabilities, execve. Returns only where one
// fails, after reporting it. `release` is read before the command starts: end of file means that it must not.
// `terminal` becomes the controlling terminal and fd 0–2; negative: none.
void become_command(const Spec& spec, const Status& status, int release, int terminal);
