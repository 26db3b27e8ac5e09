#include "tar-stream.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

namespace tsbuild {

TarStream::~TarStream() { end(); }

Outcome TarStream::create(const std::string& path) {
  path_ = path;
  file_.reset(retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600); }));
  if (!file_.valid()) return Failure::system(errno, "open", path);
  if (fchmod(file_.get(), 0644) != 0) return Failure::system(errno, "fchmod", path);
  return {};
}

void TarStream::start_threads() {
  threaded_ = true;
  ended_ = false;
  hash_here_ = !hasher_.start([this] { consume(&hashed_, &TarStream::hash_chunk); });
  write_here_ = !writer_.start([this] { consume(&written_, &TarStream::write_chunk); });
}

char* TarStream::room(size_t* available) {
  Chunk& chunk = ring_[produced_ % kChunks];
  if (filling_ == 0) {
    std::unique_lock<std::mutex> lock(mutex_);
    consumed_more_.wait(lock, [this] { return failure_ || produced_ - std::min(hashed_, written_) < kChunks; });
    if (failure_) return nullptr;
    if (!chunk.bytes) chunk.bytes.reset(new char[kChunkBytes]);
  }
  *available = kChunkBytes - filling_;
  return chunk.bytes.get() + filling_;
}

void TarStream::advance(size_t size) {
  filling_ += size;
  size_ += size;
  if (filling_ < kChunkBytes) return;
  if (!threaded_) start_threads();
  submit();
}

void TarStream::submit() {
  Chunk& chunk = ring_[produced_ % kChunks];
  chunk.size = filling_;
  filling_ = 0;
  if (hash_here_) hash_chunk(chunk);
  if (write_here_) write_chunk(chunk);
  std::lock_guard<std::mutex> lock(mutex_);
  produced_++;
  if (hash_here_) hashed_ = produced_;
  if (write_here_) written_ = produced_;
  produced_more_.notify_all();
}

void TarStream::write_chunk(const Chunk& chunk) {
  const char* from = chunk.bytes.get();
  for (size_t left = chunk.size; left > 0;) {
    ssize_t put = retry([&] { return ::write(file_.get(), from, left); });
    if (put < 0) {
      int error = errno;
      std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_) failure_ = Failure::system(error, "write", path_);
      return;
    }
    from += put;
    left -= static_cast<size_t>(put);
  }
}

void TarStream::consume(uint64_t* done, Handler handle) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    produced_more_.wait(lock, [&] { return *done < produced_ || ended_; });
    if (*done == produced_) return;
    const Chunk& chunk = ring_[*done % kChunks];
    if (!failure_) {
      lock.unlock();
      (this->*handle)(chunk);
      lock.lock();
    }
    ++*done;
    consumed_more_.notify_one();
  }
}

Outcome TarStream::end() {
  if (filling_ > 0) submit();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    produced_more_.notify_all();
  }
  hasher_.join();
  writer_.join();
  threaded_ = false;
  hash_here_ = write_here_ = true;
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
