#pragma once

#include <cstdint>

#include "failure.h"

namespace tsbuild {

/** Reads an open file from its start to its end, wherever that is by then, but of each hole (lseek(2): SEEK_HOLE) at most `most_zeros` bytes. */
class SparseReader {
 public:
  /** The path is for messages. */
  SparseReader(int fd, std::string path, uint64_t most_zeros) : fd_(fd), path_(std::move(path)), most_zeros_(most_zeros) {}

  /** Reads on, at most so many bytes; none at the end. */
  Outcome read(char* to, size_t most, size_t* count);

 private:
  Outcome find_data();

  int fd_;
  std::string path_;
  uint64_t most_zeros_;
  /** Of the hole before `offset_`, not yet given. */
  uint64_t zeros_ = 0;
  uint64_t offset_ = 0;
  /** There is data from `offset_` up to here. */
  uint64_t data_end_ = 0;
};

}  // namespace tsbuild
