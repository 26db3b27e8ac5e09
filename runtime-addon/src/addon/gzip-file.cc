#include "gzip-file.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "../fd.h"
#include "first-failure.h"
#include "source-file.h"
#include "thread.h"

namespace tsbuild {

namespace {

struct FreeCompressor {
  void operator()(libdeflate_compressor* compressor) const { libdeflate_free_compressor(compressor); }
};
using Compressor = std::unique_ptr<libdeflate_compressor, FreeCompressor>;

/** A block on its way through. */
struct Slot {
  std::unique_ptr<char[]> plain;
  size_t plain_bytes = 0;
  std::unique_ptr<char[]> member;
  size_t member_bytes = 0;
  bool compressed = false;
};

/**
 * Threads take blocks in order and compress them; whoever finishes the one that is next in the file writes it, and those after it that wait. No
 * block is begun before the one that had its slot is written, which bounds the memory.
 */
class GzipFile {
 public:
  GzipFile(const std::string& from, const std::string& to, const GzipForm& form, const std::atomic<bool>& cancelled)
      : from_(from), to_(to), form_(form), cancelled_(cancelled) {}

  Outcome open();
  Outcome run();
  Outcome close(GzipSums* sums);

 private:
  void work();
  /** With the mutex held. */
  void fail(uint64_t index, Failure failure);
  Outcome compress(uint64_t index, libdeflate_compressor* compressor, Slot* slot);
  void write_ready(std::unique_lock<std::mutex>* lock);
  Outcome write(const Slot& slot);

  const std::string& from_;
  const std::string& to_;
  const GzipForm form_;
  const std::atomic<bool>& cancelled_;
  Fd source_;
  uint64_t source_bytes_ = 0;
  Fd target_;
  Sha256 plain_;
  Sha256 gzip_;
  uint64_t gzip_bytes_ = 0;
  uint64_t blocks_ = 0;
  FirstFailure failure_;

  // Guarded by mutex_, but that a slot's content belongs to the thread that compresses or writes it.
  std::mutex mutex_;
  std::condition_variable room_;
  std::vector<Slot> slots_;
  uint64_t begun_ = 0;
  uint64_t written_ = 0;
  bool writing_ = false;
};

Outcome GzipFile::open() {
  source_.reset(retry([&] { return ::open(from_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); }));
  if (!source_.valid()) return Failure::system(errno, "open", from_);
  struct stat status;
  if (fstat(source_.get(), &status) != 0) return Failure::system(errno, "fstat", from_);
  if (!S_ISREG(status.st_mode)) return Failure::changed(from_, "it is not a regular file");
  source_bytes_ = static_cast<uint64_t>(status.st_size);
  blocks_ = std::max<uint64_t>(1, (source_bytes_ + form_.block_bytes - 1) / form_.block_bytes);
  target_.reset(retry([&] { return ::open(to_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600); }));
  if (!target_.valid()) return Failure::system(errno, "open", to_);
  return {};
}

Outcome GzipFile::run() {
  unsigned threads = static_cast<unsigned>(std::min<uint64_t>(form_.threads, blocks_));
  slots_.resize(threads * size_t{2});
  run_parallel(threads, [this](unsigned) { work(); });
  return failure_.take();
}

void GzipFile::work() {
  Compressor compressor(libdeflate_alloc_compressor(form_.level));
  std::unique_lock<std::mutex> lock(mutex_);
  if (!compressor) return fail(0, Failure::system(ENOMEM, "libdeflate_alloc_compressor"));
  for (;;) {
    room_.wait(lock, [this] { return failure_.any() || begun_ == blocks_ || begun_ - written_ < slots_.size(); });
    if (failure_.any() || begun_ == blocks_) return;
    uint64_t index = begun_++;
    Slot& slot = slots_[index % slots_.size()];
    lock.unlock();
    Outcome failure = cancelled_ ? Failure::system(ECANCELED, "gzip", from_) : compress(index, compressor.get(), &slot);
    lock.lock();
    if (failure) return fail(index, std::move(*failure));
    slot.compressed = true;
    if (!writing_) write_ready(&lock);
  }
}

void GzipFile::fail(uint64_t index, Failure failure) {
  failure_.add(index, std::move(failure));
  room_.notify_all();
}

Outcome GzipFile::compress(uint64_t index, libdeflate_compressor* compressor, Slot* slot) {
  size_t bound = libdeflate_gzip_compress_bound(compressor, form_.block_bytes);
  if (!slot->plain) slot->plain.reset(new char[form_.block_bytes]);
  if (!slot->member) slot->member.reset(new char[bound]);
  uint64_t offset = index * form_.block_bytes;
  slot->plain_bytes = static_cast<size_t>(std::min<uint64_t>(form_.block_bytes, source_bytes_ - offset));
  if (Outcome failure = read_range(source_.get(), from_, slot->plain.get(), slot->plain_bytes, offset)) return failure;
  slot->member_bytes = libdeflate_gzip_compress(compressor, slot->plain.get(), slot->plain_bytes, slot->member.get(), bound);
  return {};
}

void GzipFile::write_ready(std::unique_lock<std::mutex>* lock) {
  writing_ = true;
  while (!failure_.any() && slots_[written_ % slots_.size()].compressed) {
    Slot& slot = slots_[written_ % slots_.size()];
    lock->unlock();
    Outcome failure = write(slot);
    lock->lock();
    if (failure) fail(written_, std::move(*failure));
    slot.compressed = false;
    written_++;
    room_.notify_all();
  }
  writing_ = false;
}

Outcome GzipFile::write(const Slot& slot) {
  plain_.update(slot.plain.get(), slot.plain_bytes);
  gzip_.update(slot.member.get(), slot.member_bytes);
  gzip_bytes_ += slot.member_bytes;
  const char* from = slot.member.get();
  for (size_t left = slot.member_bytes; left > 0;) {
    ssize_t put = retry([&] { return ::write(target_.get(), from, left); });
    if (put < 0) return Failure::system(errno, "write", to_);
    from += put;
    left -= static_cast<size_t>(put);
  }
  return {};
}

Outcome GzipFile::close(GzipSums* sums) {
  sums->plain = plain_.finish();
  sums->gzip = gzip_.finish();
  sums->gzip_bytes = gzip_bytes_;
  if (!plain_.ok() || !gzip_.ok()) return Failure::system(ENOMEM, "EVP_DigestFinal", to_);
  // close(2) reports a failed delayed write on some file systems (NFS, quota).
  if (::close(target_.release()) != 0 && errno != EINTR) return Failure::system(errno, "close", to_);
  return {};
}

}  // namespace

Outcome gzip_file(const std::string& from, const std::string& to, const GzipForm& form, const std::atomic<bool>& cancelled, GzipSums* sums) {
  GzipFile file(from, to, form, cancelled);
  if (Outcome failure = file.open()) return failure;
  Outcome failure = file.run();
  if (!failure) failure = file.close(sums);
  if (failure) unlink(to.c_str());
  return failure;
}

}  // namespace tsbuild
