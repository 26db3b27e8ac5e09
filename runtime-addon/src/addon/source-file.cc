#include "source-file.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace tsbuild {

Outcome SourceFile::open(Below* root, std::string_view path) {
  root_ = root;
  path_ = path;
  done_ = 0;
  Place place;
  if (!root->find(path, &place)) return root->failed("open", path);
  // O_NONBLOCK: a FIFO in the file's place must not stop us.
  fd_.reset(retry([&] { return openat(place.parent, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }));
  if (!fd_.valid()) return root->failed("open", path);
  struct stat status;
  if (fstat(fd_.get(), &status) != 0) return root->failed("fstat", path);
  if (!S_ISREG(status.st_mode)) return changed("it is not a regular file");
  size_ = static_cast<uint64_t>(status.st_size);
  return {};
}

Outcome SourceFile::read(char* to, size_t size) {
  while (size > 0) {
    ssize_t got = retry([&] { return ::read(fd_.get(), to, size); });
    if (got < 0) return root_->failed("read", path_);
    if (got == 0) return changed("it ended after " + std::to_string(done_) + " of " + std::to_string(size_) + " bytes");
    to += got;
    size -= static_cast<size_t>(got);
    done_ += static_cast<uint64_t>(got);
  }
  return {};
}

Outcome SourceFile::expect_end() {
  char more;
  ssize_t got = retry([&] { return ::read(fd_.get(), &more, 1); });
  if (got < 0) return root_->failed("read", path_);
  if (got > 0 || done_ != size_) return changed("it has grown past " + std::to_string(size_) + " bytes");
  return {};
}

Outcome read_range(int fd, const std::string& path, char* to, size_t size, uint64_t offset) {
  while (size > 0) {
    ssize_t got = retry([&] { return pread(fd, to, size, static_cast<off_t>(offset)); });
    if (got < 0) return Failure::system(errno, "pread", path);
    if (got == 0) return Failure::changed(path, "it ends at byte " + std::to_string(offset) + ", " + std::to_string(size) + " bytes too early");
    to += got;
    size -= static_cast<size_t>(got);
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

}  // namespace tsbuild
