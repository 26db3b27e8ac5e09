#pragma once

#include <cstdint>
#include <string>

#include "failure.h"

namespace tsbuild {

struct Allocated {
  /** Of what could be measured. */
  uint64_t bytes = 0;
  /** The first thing that could not be, but for what has vanished or may not be looked into. */
  Outcome failure;
};

/**
 * Bytes that a file, or a directory with all that is in it, takes on its file system (stat(2): st_blocks): what `du` counts, files with several names once. Of any depth; links are
 * never followed.
 */
Allocated allocated_bytes(const std::string& path);

}  // namespace tsbuild
