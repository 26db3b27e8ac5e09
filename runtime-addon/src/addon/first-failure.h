#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "failure.h"

namespace tsbuild {

/** Of the failures of many threads, that of the earliest item: the one a single thread would have met. */
class FirstFailure {
 public:
  void add(size_t index, Failure failure) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (failure_ && index_ <= index) return;
    index_ = index;
    failure_ = std::move(failure);
    failed_ = true;
  }
  bool any() const { return failed_; }
  Outcome take() { return std::move(failure_); }

 private:
  std::mutex mutex_;
  std::atomic<bool> failed_{false};
  size_t index_ = 0;
  Outcome failure_;
};

}  // namespace tsbuild
