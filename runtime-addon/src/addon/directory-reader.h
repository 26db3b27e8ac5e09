#pragma once

#include <cstddef>
#include <string_view>

namespace tsbuild {

/** Reads an open directory's names with getdents64(2), "." and ".." left out. The buffer may be shared by many readers in turn. */
class DirectoryReader {
 public:
  struct Name {
    /** NUL-terminated, good until the next call. */
    std::string_view text;
    /** DT_* of readdir(3); DT_UNKNOWN where the file system does not say. */
    unsigned char type;
  };
  static constexpr size_t kBufferBytes = 64 * 1024;

  /** `buffer` holds kBufferBytes. */
  DirectoryReader(int fd, char* buffer) : fd_(fd), buffer_(buffer) {}

  /** False at the end, and on failure: then `error` is not 0. */
  bool next(Name* name);
  int error() const { return error_; }

 private:
  int fd_;
  char* buffer_;
  size_t at_ = 0;
  size_t filled_ = 0;
  int error_ = 0;
};

}  // namespace tsbuild
