#include "thread.h"

#include <csignal>
#include <memory>
#include <vector>

namespace tsbuild {

namespace {

constexpr size_t kStackBytes = 256 * 1024;

void* run_body(void* argument) {
  std::unique_ptr<std::function<void()>> body(static_cast<std::function<void()>*>(argument));
  (*body)();
  return nullptr;
}

bool create(pthread_t* id, std::function<void()> body, bool detached) {
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  if (detached) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  int error = pthread_create(id, &attributes, run_body, owned.get());
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return false;
  owned.release();
  return true;
}

}  // namespace

bool Thread::start(std::function<void()> body) {
  running_ = create(&id_, std::move(body), false);
  return running_;
}

bool Thread::start_detached(std::function<void()> body) {
  pthread_t id;
  return create(&id, std::move(body), true);
}

void Thread::join() {
  if (running_) pthread_join(id_, nullptr);
  running_ = false;
}

void run_parallel(unsigned wanted, const std::function<void(unsigned worker)>& body) {
  std::vector<Thread> others(wanted > 1 ? wanted - 1 : 0);
  for (size_t i = 0; i < others.size(); i++) {
    if (!others[i].start([&body, i] { body(static_cast<unsigned>(i) + 1); })) break;
  }
  body(0);
}

}  // namespace tsbuild
