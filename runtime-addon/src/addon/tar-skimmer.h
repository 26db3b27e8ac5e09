#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sha256.h"

namespace tsbuild {

/**
 * Takes the contents of files out of a tar that comes by in pieces, and leaves their digests: what is left, headers mostly, is for a reader who knows what they
 * mean. Decides nothing: from the first header on whose content it could be wrong about (sizes in extended headers, sparse files, what is
 * no header) everything is left in.
 */
class TarSkimmer {
 public:
  /** A file's content, and the zeros behind it, that stood in the tar where `rest` has `position` bytes. */
  struct Content {
    size_t position;
    uint64_t bytes;
  };
  /** What came since it was last taken. */
  struct Skimmed {
    std::string rest;
    std::vector<Content> contents;
    /** Of each content. */
    std::string digests;
  };

  void push(std::string_view bytes);
  /** Counts a content that has not ended. */
  void end();
  Skimmed take();
  size_t rest_bytes() const { return skimmed_.rest.size(); }
  /** False when no digest may be believed. */
  bool ok() const { return sha256_.ok(); }

 private:
  static constexpr size_t kBlockBytes = 512;
  enum class State { kBlock, kMeta, kContent, kPadding, kAll, kBehind };

  void push_block(std::string_view* bytes);
  void push_meta(std::string_view* bytes);
  void push_content(std::string_view* bytes);
  void push_padding(std::string_view* bytes);
  void on_block(const char* block);
  void on_header(char type, uint64_t size);
  void begin_meta(char type, uint64_t size);
  void begin_content(uint64_t size);
  void end_content();

  State state_ = State::kBlock;
  /** Bytes of a block that came in pieces. */
  std::string block_;
  /** One half of the end mark was seen. */
  bool half_ended_ = false;
  bool is_extended_ = false;
  std::string meta_;
  uint64_t meta_left_ = 0;
  uint64_t content_bytes_ = 0;
  uint64_t content_left_ = 0;
  uint64_t padding_left_ = 0;
  Sha256 sha256_;
  DigestBytes digest_{};
  Skimmed skimmed_;
};

}  // namespace tsbuild
