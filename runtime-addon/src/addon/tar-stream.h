#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "failure.h"
#include "../fd.h"
#include "sha256.h"
#include "thread.h"

namespace tsbuild {

/**
 * Writes a file through a ring of chunks: the caller fills them, one thread hashes and one writes. The caller does it alone
 * for less than a chunk, or when the system has no threads left. The ring is all the memory it takes: 4 MiB.
 */
class TarStream {
 public:
  static constexpr size_t kChunkBytes = 256 * 1024;

  TarStream() = default;
  ~TarStream();

  /** Creates the file, which must not exist, with mode 0644 whatever the umask. */
  Outcome create(const std::string& path);

  /** Where the next bytes go, at least one of them. Null when writing has failed; end() says how. */
  char* room(size_t* available);
  /** Takes `size` bytes that were put at room(). */
  void advance(size_t size);
  /** Waits until all is hashed and written, and ends the threads. */
  Outcome end();

  /** Closes the file; the digest is that of all its bytes. */
  Outcome close(bool sync, DigestBytes* digest);
  /** Closes and removes the file. */
  Outcome abandon();
  bool is_open() const { return file_.valid(); }
  uint64_t size() const { return size_; }

 private:
  static constexpr size_t kChunks = 16;
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  using Handler = void (TarStream::*)(const Chunk&);

  void start_threads();
  void submit();
  void hash_chunk(const Chunk& chunk) { sha256_.update(chunk.bytes.get(), chunk.size); }
  void write_chunk(const Chunk& chunk);
  void consume(uint64_t* done, Handler handle);

  std::string path_;
  Fd file_;
  Sha256 sha256_;
  uint64_t size_ = 0;
  Chunk ring_[kChunks];
  /** Bytes in the chunk that is being filled; 0 when it may still belong to the threads. */
  size_t filling_ = 0;
  bool threaded_ = false;
  bool hash_here_ = true;
  bool write_here_ = true;
  Thread hasher_;
  Thread writer_;

  // Guarded by mutex_: counts of chunks. A chunk is free again when both threads are past it.
  std::mutex mutex_;
  std::condition_variable produced_more_;
  std::condition_variable consumed_more_;
  uint64_t produced_ = 0;
  uint64_t hashed_ = 0;
  uint64_t written_ = 0;
  bool ended_ = false;
  Outcome failure_;
};

}  // namespace tsbuild
