#pragma once

#include "result.h"

// Refuses new user namespaces to this process and its descendants, as Docker's default profile does: in one, any process has all capabilities,
// and with them mounts that reach what the sandbox keeps from it (as host root, the control groups and so its own limits).
// Needs CAP_SYS_ADMIN in the current user namespace (seccomp(2)), and leaves no_new_privs alone.
Result forbid_user_namespaces();
