#pragma once

#include <string>

#include "result.h"
#include "root.h"

// Where fd 0, 1 or 2 is the host's /dev/null, puts the sandbox's in its place: root inside may chmod what its descriptors name.
Result replace_host_null();

struct DevicesOptions {
  // Bytes.
  std::string shm_size;
  // Owns new terminals; "-" where it is not mapped.
  std::string terminal_group;
  // "name:b:major:minor …", each where the machine has it; "-": none, and no device file that the command makes can be opened.
  std::string more;
};

// Makes /dev: a tmpfs with the usual devices (the only device files that can be opened) and more, the links to
// /proc/self/fd, pts, shm and mqueue.
Result make_devices(Root& root, const DevicesOptions& options);
