#pragma once

#include <zlib.h>

#include <cstddef>
#include <string_view>

namespace tsbuild {

/** Inflates gzip members that follow one another, by the zlib that Node itself carries. Zeros behind a member, and whatever follows them, are padding. */
class Gunzip {
 public:
  Gunzip();
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  /** Takes from the front of `input`, and returns how much it put at `to`: less than `room` only when there is no more to take. */
  size_t read(std::string_view* input, char* to, size_t room);
  /** Why the data is broken, in zlib's words; null while it is not. */
  const char* broken() const { return broken_; }
  /** Whether the data may end here. */
  bool at_end() const { return at_end_; }

 private:
  z_stream stream_{};
  bool initialised_ = false;
  bool at_end_ = false;
  bool padding_ = false;
  const char* broken_ = nullptr;
};

}  // namespace tsbuild
