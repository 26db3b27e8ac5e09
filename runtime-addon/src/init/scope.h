#pragma once

#include "status.h"

// Puts abstract unix sockets that this process and its children did not make out of their reach, for good. Needs CAP_SYS_ADMIN, since
// no_new_privs may stay off, and Landlock of Linux 6.12; where the kernel refuses, that is reported as skipped.
void scope_abstract_sockets(const Status& status);
