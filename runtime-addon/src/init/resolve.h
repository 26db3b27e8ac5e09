#pragma once

#include <string>

#include "fd.h"
#include "result.h"
#include "root.h"

// Opens a path below a directory (O_PATH), following symlinks as if that were "/": none leads out of it.
Result open_confined(int directory, const std::string& path, Fd& fd);

// Opens a path below the root (O_PATH), following symlinks as if the root were "/": none leads out of it.
Result open_inside(const Root& root, const std::string& path, Fd& fd);

enum class Kind { directory, file };

// Fails with ELOOP where a path below the root leads through a symlink. For the kernel's own file systems: masks and read-only paths
// name them by path, and a link could lead elsewhere once more is mounted.
Result refuse_links(const Root& root, const std::string& path);

// As open_inside; what is missing (directories, an empty file) is made, and reported where it lands in the root file system
// itself. A dangling symlink is followed to the place that it names.
Result open_or_create(const Root& root, const std::string& path, Kind kind, Fd& fd);
