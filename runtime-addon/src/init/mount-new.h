#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fd.h"
#include "result.h"

// Options of a file system: a key with a value, or with "" for a flag.
using MountOptions = std::vector<std::pair<std::string, std::string>>;

// Makes a new, unattached mount of a file system (fsopen, fsconfig, fsmount); `attributes` are MOUNT_ATTR_*.
Result new_mount(const char* type, const MountOptions& options, unsigned attributes, Fd& mount);
