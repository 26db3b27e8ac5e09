#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "failure.h"
#include "patterns.h"

namespace tsbuild {

/** A file, by its place in the list, and a pattern that it has. */
struct Found {
  size_t file;
  size_t pattern;
};

/**
 * Looks for patterns in regular files below `root`, on `threads` threads: the first of each group in each file, in the order of the list. What has gone since it was
 * listed, or is no regular file any more, is passed over: others may be writing there. Holes of files cost nothing. Fails with ECANCELED soon after that is set.
 */
Outcome search_many(const std::string& root, const std::vector<std::string_view>& paths, const Patterns& patterns, unsigned threads,
                    const std::atomic<bool>& cancelled, std::vector<Found>* found);

}  // namespace tsbuild
