#pragma once

#include <string>

#include "result.h"
#include "root.h"

// Mounts a read-only file that exists in memory only, in a file system of its own: nothing of it reaches a disk, swap either where the
// kernel and our rights allow that to be said. `hex` is the content, two digits a byte.
Result mount_content(Root& root, const std::string& target, const std::string& mode, const std::string& uid, const std::string& gid,
                     const std::string& hex);
