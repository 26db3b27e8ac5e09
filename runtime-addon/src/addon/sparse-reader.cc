#include "sparse-reader.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "../fd.h"

namespace tsbuild {

Outcome SparseReader::read(char* to, size_t most, size_t* count) {
  if (zeros_ == 0 && offset_ == data_end_) {
    if (Outcome failure = find_data()) return failure;
  }
  if (zeros_ > 0) {
    *count = static_cast<size_t>(std::min<uint64_t>(most, zeros_));
    memset(to, 0, *count);
    zeros_ -= *count;
    return {};
  }
  size_t size = static_cast<size_t>(std::min<uint64_t>(most, data_end_ - offset_));
  ssize_t got = size == 0 ? 0 : retry([&] { return pread(fd_, to, size, static_cast<off_t>(offset_)); });
  if (got < 0) return Failure::system(errno, "pread", path_);
  *count = static_cast<size_t>(got);
  offset_ += *count;
  // It was cut off meanwhile.
  if (got == 0) data_end_ = offset_;
  return {};
}

Outcome SparseReader::find_data() {
  off_t data = lseek(fd_, static_cast<off_t>(offset_), SEEK_DATA);
  if (data < 0 && errno == EINVAL) {
    // A file system that has no holes to tell of.
    data_end_ = std::numeric_limits<off_t>::max();
    return {};
  }
  // ENXIO: there is none up to the end.
  bool is_rest = data < 0 && errno == ENXIO;
  if (is_rest) data = std::max(lseek(fd_, 0, SEEK_END), static_cast<off_t>(offset_));
  off_t end = is_rest ? data : lseek(fd_, data, SEEK_HOLE);
  // ENXIO: it was cut off in between.
  if (data >= 0 && end < 0 && errno == ENXIO) end = data;
  if (data < 0 || end < 0) return Failure::system(errno, "lseek", path_);
  zeros_ = std::min(most_zeros_, static_cast<uint64_t>(data) - offset_);
  offset_ = static_cast<uint64_t>(data);
  data_end_ = static_cast<uint64_t>(end);
  return {};
}

}  // namespace tsbuild
