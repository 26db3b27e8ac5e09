#pragma once

#include <string>

#include "fd.h"
#include "result.h"
#include "root.h"

// Opens a path below the root (O_PATH), following symlinks as if the root were "/": none leads out of it.
Result open_inside(const Root& root, const std::string& path, Fd& fd);

enum class Kind { directory, file };

// As open_inside; what is missing (directories, an empty file) is made, and reported where it lands in the root file system
// itself. A dangling symlink is followed to the place that it names.
Result open_or_create(const Root& root, const std::string& path, Kind kind, Fd& fd);
