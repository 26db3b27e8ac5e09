#pragma once

#include <string>

#include "result.h"
#include "root.h"

// Where fd 0, 1 or 2 is the host's /dev/null, puts the sandbox's in its place: root inside may chmod what its descriptors name.
Result replace_host_null();

// Makes /dev: a tmpfs with the usual devices (the only device files that can be opened), the links to
// /proc/self/fd, pts, shm and mqueue. `terminal_group` owns new terminals; "-" where the group is not mapped.
Result make_devices(Root& root, const std::string& shm_size, const std::string& terminal_group);
