#include "chunk-ring.h"

#include <algorithm>
#include <cstring>

namespace tsbuild {

ChunkRing::ChunkRing(size_t chunks, std::vector<Handler> handlers) : ring_(chunks) {
  for (Handler& handler : handlers) consumers_.push_back(std::make_unique<Consumer>(std::move(handler)));
}

ChunkRing::~ChunkRing() { end(); }

bool ChunkRing::has_room() const {
  return std::all_of(consumers_.begin(), consumers_.end(), [this](auto& consumer) { return produced_ - consumer->done < ring_.size(); });
}

char* ChunkRing::room(size_t* available) {
  Chunk& chunk = ring_[produced_ % ring_.size()];
  if (filling_ == 0) {
    std::unique_lock<std::mutex> lock(mutex_);
    consumed_more_.wait(lock, [this] { return given_up_ || has_room(); });
    if (given_up_) return nullptr;
    if (!chunk.bytes) chunk.bytes.reset(new char[kChunkBytes]);
  }
  *available = kChunkBytes - filling_;
  return chunk.bytes.get() + filling_;
}

void ChunkRing::advance(size_t size) {
  filling_ += size;
  if (filling_ < kChunkBytes) return;
  if (!threaded_) start_threads();
  submit();
}

bool ChunkRing::append(const char* bytes, size_t size) {
  while (size > 0) {
    size_t available;
    char* to = room(&available);
    if (to == nullptr) return false;
    size_t part = std::min(available, size);
    memcpy(to, bytes, part);
    advance(part);
    bytes += part;
    size -= part;
  }
  return true;
}

void ChunkRing::start_threads() {
  threaded_ = true;
  ended_ = false;
  for (auto& consumer : consumers_) {
    consumer->is_caller = !consumer->thread.start([this, one = consumer.get()] { consume(one); });
  }
}

void ChunkRing::submit() {
  Chunk& chunk = ring_[produced_ % ring_.size()];
  chunk.size = filling_;
  filling_ = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  bool wanted = !given_up_;
  lock.unlock();
  for (auto& consumer : consumers_) {
    if (consumer->is_caller && wanted) wanted = consumer->handle(chunk.bytes.get(), chunk.size);
  }
  lock.lock();
  given_up_ = given_up_ || !wanted;
  produced_++;
  for (auto& consumer : consumers_) {
    if (consumer->is_caller) consumer->done = produced_;
  }
  produced_more_.notify_all();
}

void ChunkRing::consume(Consumer* consumer) {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    produced_more_.wait(lock, [&] { return consumer->done < produced_ || ended_; });
    if (consumer->done == produced_) return;
    const Chunk& chunk = ring_[consumer->done % ring_.size()];
    if (!given_up_) {
      lock.unlock();
      bool wanted = consumer->handle(chunk.bytes.get(), chunk.size);
      lock.lock();
      given_up_ = given_up_ || !wanted;
    }
    consumer->done++;
    consumed_more_.notify_one();
  }
}

void ChunkRing::end() {
  if (filling_ > 0) submit();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    produced_more_.notify_all();
  }
  for (auto& consumer : consumers_) {
    consumer->thread.join();
    consumer->is_caller = true;
  }
  threaded_ = false;
}

}  // namespace tsbuild
