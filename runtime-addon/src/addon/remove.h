#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "failure.h"

namespace tsbuild {

/** Removes a file, or a directory with all that is in it, of any depth. Missing is fine; links are never followed. */
Outcome remove_tree(const std::string& path);

/** Unlinks, or removes the empty directory, at each path below `root`, in order. */
Outcome remove_many(const std::string& root, const std::vector<std::string_view>& paths);

}  // namespace tsbuild
