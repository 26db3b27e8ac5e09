#pragma once

#include <pthread.h>

#include <functional>

namespace tsbuild {

/** A joined thread with a small stack and every signal blocked: signals stay with the host program's threads. */
class Thread {
 public:
  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() { join(); }

  /** False when the system grants no more threads; the caller then does the work itself. */
  bool start(std::function<void()> body);
  /** Like start, but nobody joins it. */
  static bool start_detached(std::function<void()> body);
  void join();

 private:
  pthread_t id_{};
  bool running_ = false;
};

/** Runs body(worker) once for each of up to `wanted` workers at the same time, and returns when all have ended. */
void run_parallel(unsigned wanted, const std::function<void(unsigned worker)>& body);

}  // namespace tsbuild
