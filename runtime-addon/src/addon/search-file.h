#pragma once

#include <string>

#include "failure.h"
#include "patterns.h"

namespace tsbuild {

/** Looks for patterns in a file, in one pass and in bounded memory; stops where no group can have more. */
Outcome search_file(const std::string& path, const Patterns& patterns, Matches* matches);

}  // namespace tsbuild
