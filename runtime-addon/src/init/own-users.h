#pragma once

#include "result.h"

// Moves this process into a user namespace of its own with the same ids as now, all of them. It keeps all capabilities, but over nothing that is
// outside: not over other processes, mounts or the network, and it may not look into processes of other user namespaces (ptrace(2)).
// /proc must show this process, under whatever number. To be called with CAP_SETUID, CAP_SETGID and CAP_SETFCAP, and without other threads.
Result enter_own_users();
