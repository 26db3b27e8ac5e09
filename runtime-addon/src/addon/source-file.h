#pragma once

#include <cstdint>
#include <string_view>

#include "below.h"
#include "sparse-reader.h"

namespace tsbuild {

/** A regular file below a root, opened for one reading from its start. Anything else at its path is a change. */
class SourceFile {
 public:
  Outcome open(Below* root, std::string_view path);
  uint64_t size() const { return size_; }

  /** Reads exactly `size` bytes. */
  Outcome read(char* to, size_t size);
  /** Reads it from its start, as long as this stays open. */
  SparseReader sparse_reader(uint64_t most_zeros) const { return SparseReader(fd_.get(), root_->shown(path_), most_zeros); }
  /** Fails unless all bytes were read and the file has no more. */
  Outcome expect_end();

 private:
  Outcome changed(const std::string& reason) const { return Failure::changed(root_->shown(path_), reason); }

  Below* root_ = nullptr;
  std::string_view path_;
  Fd fd_;
  uint64_t size_ = 0;
  uint64_t done_ = 0;
};

/** Reads exactly this range of an open file, of which the caller knows the path. */
Outcome read_range(int fd, const std::string& path, char* to, size_t size, uint64_t offset);

}  // namespace tsbuild
