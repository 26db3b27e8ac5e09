#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "failure.h"
#include "patterns.h"

namespace tsbuild {

/** Reads on, at most so many bytes; none at the end. */
using ReadOn = std::function<Outcome(char* to, size_t most, size_t* count)>;

/**
 * Looks for patterns in what is read, in one pass, with `read_bytes` and a pattern's length in memory; stops where no group can have more. Fails with ECANCELED once that is set, which
 * is looked at before each reading.
 */
Outcome search_all(const ReadOn& read_on, size_t read_bytes, const Patterns& patterns, const std::atomic<bool>& cancelled, Matches* matches);

/** The same for a file. */
Outcome search_file(const std::string& path, const Patterns& patterns, const std::atomic<bool>& cancelled, Matches* matches);

}  // namespace tsbuild
