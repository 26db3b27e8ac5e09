#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "message.h"
#include "tar-stream.h"

namespace tsbuild {

/**
 * Writes the pieces of a message one behind the other, and puts 32 bytes of SHA-256 for each file and each tar range into
 * `digests`. A piece is: 0, bytes | 1, root, size, path | 2, file, offset, size; root and file count in `hosts`. Fails with ECANCELED soon after that is set.
 */
Outcome write_pieces(TarStream* stream, MessageReader pieces, const std::vector<std::string>& hosts,
                     const std::atomic<bool>& cancelled, std::string* digests);

}  // namespace tsbuild
