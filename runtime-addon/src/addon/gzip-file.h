#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "failure.h"
#include "sha256.h"

namespace tsbuild {

struct GzipForm {
  /** libdeflate's: 1–12. */
  int level;
  /** Plain bytes of each member but the last. */
  size_t block_bytes;
  /** At most so many compress at once. */
  unsigned threads;
};

struct GzipSums {
  DigestBytes plain{};
  DigestBytes gzip{};
  uint64_t gzip_bytes = 0;
};

/**
 * Compresses a regular file into a new one, block by block on `threads` threads, each block a gzip member (RFC 1952); an empty file is one empty block. The
 * bytes depend on libdeflate, level and block size alone. Of memory it takes two blocks and their members for each thread. ECANCELED soon after
 * `cancelled` is set. After a failure there is no file at `to`.
 */
Outcome gzip_file(const std::string& from, const std::string& to, const GzipForm& form, const std::atomic<bool>& cancelled, GzipSums* sums);

}  // namespace tsbuild
