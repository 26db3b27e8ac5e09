#include "tar-stream.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace tsbuild {

namespace {

/** 4 MiB. */
constexpr size_t kChunks = 16;

}  // namespace

TarStream::TarStream()
    : ring_(kChunks, {[this](const char* bytes, size_t size) {
                        sha256_.update(bytes, size);
                        return true;
                      },
                      [this](const char* bytes, size_t size) { return write_chunk(bytes, size); }}) {}

Outcome TarStream::create(const std::string& path) {
  path_ = path;
  file_.reset(retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600); }));
  if (!file_.valid()) return Failure::system(errno, "open", path);
  if (fchmod(file_.get(), 0644) != 0) return Failure::system(errno, "fchmod", path);
  return {};
}

void TarStream::advance(size_t size) {
  size_ += size;
  ring_.advance(size);
}

bool TarStream::write_chunk(const char* bytes, size_t size) {
  while (size > 0) {
    ssize_t put = retry([&] { return ::write(file_.get(), bytes, size); });
    if (put < 0) {
      failure_ = Failure::system(errno, "write", path_);
      return false;
    }
    bytes += put;
    size -= static_cast<size_t>(put);
  }
  return true;
}

Outcome TarStream::end() {
  ring_.end();
  return failure_;
}

Outcome TarStream::close(bool sync, DigestBytes* digest) {
  *digest = sha256_.finish();
  if (!sha256_.ok()) return Failure::system(ENOMEM, "EVP_DigestFinal", path_);
  if (sync && retry([&] { return fsync(file_.get()); }) != 0) return Failure::system(errno, "fsync", path_);
  // close(2) reports a failed delayed write on some file systems (NFS, quota).
  if (::close(file_.release()) != 0 && errno != EINTR) return Failure::system(errno, "close", path_);
  return {};
}

Outcome TarStream::abandon() {
  if (!file_.valid()) return {};
  file_.reset();
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) return Failure::system(errno, "unlink", path_);
  return {};
}

}  // namespace tsbuild
