#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "thread.h"

namespace tsbuild {

/**
 * Bytes on their way from one thread to several: the caller fills chunks, and each handler gets every chunk in order, on a thread of its own. For
 * less than a chunk, or when the system has no threads left, the caller does the handlers' work itself. The ring is all the memory it takes.
 */
class ChunkRing {
 public:
  static constexpr size_t kChunkBytes = 256 * 1024;
  /** False gives up: no handler is called again, and there is no more room. */
  using Handler = std::function<bool(const char* bytes, size_t size)>;

  ChunkRing(size_t chunks, std::vector<Handler> handlers);
  ~ChunkRing();

  /** Where the next bytes go, at least one of them. Null when a handler has given up. */
  char* room(size_t* available);
  /** Takes `size` bytes that were put at room(). */
  void advance(size_t size);
  /** Copies bytes to wherever there is room. False when a handler has given up. */
  bool append(const char* bytes, size_t size);
  /** Waits until all is handled, and ends the threads. They start again with the next full chunk. */
  void end();

 private:
  struct Chunk {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  struct Consumer {
    explicit Consumer(Handler handler) : handle(std::move(handler)) {}
    Handler handle;
    Thread thread;
    /** The caller does its work; nobody else asks. */
    bool is_caller = true;
    /** Chunks that it is past; guarded by mutex_. */
    uint64_t done = 0;
  };

  void start_threads();
  void submit();
  void consume(Consumer* consumer);
  bool has_room() const;

  std::vector<Chunk> ring_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  /** Bytes in the chunk that is being filled; 0 when it may still belong to the consumers. */
  size_t filling_ = 0;
  bool threaded_ = false;

  // Guarded by mutex_. A chunk is free again when all consumers are past it.
  std::mutex mutex_;
  std::condition_variable produced_more_;
  std::condition_variable consumed_more_;
  uint64_t produced_ = 0;
  bool ended_ = false;
  bool given_up_ = false;
};

}  // namespace tsbuild
