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
};

struct GzipSums {
  DigestBytes plain{};
  DigestBytes gzip{};
  uint64_t gzip_bytes = 0;
};

/**
 * Compresses a regular file into a new one, block by block on all CPUs, each block a gzip member (RFC 1952); an empty file is one empty block. The
 * bytes depend on libdeflate and the form alone. Of memory it takes two blocks and their members for each CPU. ECANCELED soon after
 * `cancelled` is set. After a failure there is no file at `to`.
 */
Outcome gzip_file(const std::string& from, const std::string& to, const GzipForm& form, const std::atomic<bool>& cancelled, GzipSums* sums);

}  // namespace tsbuild
