#pragma once

#include <cstdint>
#include <string_view>

#include "attributes.h"
#include "message.h"

namespace tsbuild {

enum class EntryKind { kFile, kDirectory, kSymlink, kHardlink, kChar, kBlock, kFifo, kWhiteout, kOpaque };

struct ExtractEntry {
  EntryKind kind;
  std::string_view path;
  std::string_view target;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint32_t major = 0;
  uint32_t minor = 0;
  Attributes attributes;
};

/** The next entry; spoils the message when it is none. */
ExtractEntry read_entry(MessageReader* entries, bool owners);

}  // namespace tsbuild
