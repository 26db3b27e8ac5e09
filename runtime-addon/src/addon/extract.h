#pragma once

#include <string>

#include "failure.h"
#include "message.h"

namespace tsbuild {

/**
 * Makes the entries of a message below `root`, with the files' content from ranges of `tar`. An entry is: kind, path, then
 * for file offset, size | symlink, hardlink target | char, block major, minor; and unless it is a hardlink, a whiteout or
 * opaque: mode, uid, gid, seconds, nanoseconds, count of xattrs, and (name, value) in the text for each.
 */
Outcome extract(const std::string& root, const std::string& tar, MessageReader entries, bool owners, unsigned threads);

}  // namespace tsbuild
