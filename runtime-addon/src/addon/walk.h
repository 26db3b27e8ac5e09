#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "failure.h"

namespace tsbuild {

struct WalkOptions {
  bool recursive;
  bool xattrs;
  /** Bytes of a path below the root; beyond it the walk fails with ENAMETOOLONG. */
  size_t longest_path;
  /** At most so many read directories. */
  unsigned threads;
};

/** Packed records of what is below the given directories of `root`: parents first, children sorted by bytes. */
Outcome walk(const std::string& root, const std::vector<std::string_view>& directories, WalkOptions options, std::string* records);

/** Packed records of exactly these paths; those that do not exist, or lie behind a symlink, are left out. */
Outcome stat_many(const std::string& root, const std::vector<std::string_view>& paths, bool xattrs, std::string* records);

}  // namespace tsbuild
