#pragma once

#include <string>
#include <vector>

#include "failure.h"
#include "patterns.h"

namespace tsbuild {

/** Looks for patterns in a file, in one pass and in bounded memory; stops at `most` matches. */
Outcome search_file(const std::string& path, const Patterns& patterns, size_t most, std::vector<Match>* matches);

}  // namespace tsbuild
