#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "failure.h"

namespace tsbuild {

/** The SHA-256 of each regular file below `root`, 32 bytes each, in order; on at most so many threads. */
Outcome hash_many(const std::string& root, const std::vector<std::string_view>& paths, unsigned threads, std::string* digests);

}  // namespace tsbuild
