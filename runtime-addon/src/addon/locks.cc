#include "locks.h"

#include <fcntl.h>
#include <sys/file.h>

#include <memory>
#include <mutex>
#include <optional>

#include "failure.h"
#include "../fd.h"
#include "thread.h"

namespace tsbuild {

namespace {

/** A lock of an open file: of all of it (flock(2)), or of one byte, which need not exist (fcntl(2), "Open file description locks"). */
struct Lock {
  /** LOCK_SH or LOCK_EX. */
  int operation = 0;
  std::optional<off_t> byte;

  const char* syscall() const { return byte.has_value() ? "fcntl" : "flock"; }
};

int set_byte_lock(int fd, int command, int type, off_t byte) {
  // l_pid must be 0.
  struct flock range = {};
  range.l_type = static_cast<short>(type);
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  return retry([&] { return fcntl(fd, command, &range); });
}

int take(int fd, const Lock& lock, bool wait) {
  if (!lock.byte.has_value()) return retry([&] { return flock(fd, lock.operation | (wait ? 0 : LOCK_NB)); });
  return set_byte_lock(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, lock.operation == LOCK_SH ? F_RDLCK : F_WRLCK, *lock.byte);
}

void give_back(int fd, const Lock& lock) {
  if (lock.byte.has_value()) set_byte_lock(fd, F_OFD_SETLK, F_UNLCK, *lock.byte);
  else flock(fd, LOCK_UN);
}

/** A wait for a lock on a thread of its own, which may outlast whoever asked for it. */
struct Wait {
  Fd fd;
  Lock lock;
  Napi::ThreadSafeFunction settle;
  void* exit_hook = nullptr;

  std::mutex mutex;
  /** Whether `settle` may be called: false once it was, the caller has given up, or the JavaScript environment is gone. */
  bool wanted = true;
};
using SharedWait = std::shared_ptr<Wait>;

void on_environment_exit(void* hook) {
  std::unique_ptr<SharedWait> owned(static_cast<SharedWait*>(hook));
  std::lock_guard<std::mutex> lock((*owned)->mutex);
  (*owned)->wanted = false;
}

void remove_exit_hook(Napi::Env env, const SharedWait& wait) {
  if (wait->exit_hook == nullptr) return;
  napi_remove_env_cleanup_hook(env, on_environment_exit, wait->exit_hook);
  delete static_cast<SharedWait*>(wait->exit_hook);
  wait->exit_hook = nullptr;
}

void wait_for_lock(const SharedWait& wait) {
  int result = take(wait->fd.get(), wait->lock, true);
  int error = result == 0 ? 0 : errno;
  std::lock_guard<std::mutex> lock(wait->mutex);
  // The lock belongs to the open file, of which the caller may have other descriptors.
  if (!wait->wanted && result == 0) give_back(wait->fd.get(), wait->lock);
  wait->fd.reset();
  if (!wait->wanted) return;
  wait->wanted = false;
  wait->settle.NonBlockingCall([wait, error](Napi::Env env, Napi::Function settle) {
    remove_exit_hook(env, wait);
    settle.Call({error == 0 ? env.Undefined() : Failure::system(error, wait->lock.syscall()).to_error(env).Value()});
  });
  wait->settle.Release();
}

void give_up(Napi::Env env, const SharedWait& wait) {
  {
    std::lock_guard<std::mutex> lock(wait->mutex);
    if (!wait->wanted) return;
    wait->wanted = false;
  }
  remove_exit_hook(env, wait);
  wait->settle.Abort();
}

/** `operation` (LOCK_SH, LOCK_EX), and a BigInt where one byte is meant. */
Lock lock_of(const Napi::Value& operation, const Napi::Value& byte) {
  Lock lock;
  lock.operation = operation.ToNumber().Int32Value();
  bool lossless = true;
  if (byte.IsBigInt()) lock.byte = byte.As<Napi::BigInt>().Int64Value(&lossless);
  return lock;
}

/** tryLock(fd, operation, byte?): true, or false when others hold it. Does not wait. */
Napi::Value try_lock(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Lock lock = lock_of(info[1], info[2]);
  if (take(info[0].ToNumber().Int32Value(), lock, false) == 0) return Napi::Boolean::New(env, true);
  // fcntl(2): EAGAIN or EACCES, as the system has it; flock(2): EWOULDBLOCK, which is EAGAIN.
  if (errno == EAGAIN || (lock.byte.has_value() && errno == EACCES)) return Napi::Boolean::New(env, false);
  Failure::system(errno, lock.syscall()).to_error(env).ThrowAsJavaScriptException();
  return env.Undefined();
}

/** waitLock(fd, operation, byte | undefined, settle(error?)): waits elsewhere, and answers with a function that gives the wait up. */
Napi::Value wait_lock(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto fail = [env](int error, const char* syscall) {
    Failure::system(error, syscall).to_error(env).ThrowAsJavaScriptException();
    return env.Undefined();
  };
  auto wait = std::make_shared<Wait>();
  // A copy: the caller may close his, and the number may come to mean another file.
  wait->fd.reset(fcntl(info[0].ToNumber().Int32Value(), F_DUPFD_CLOEXEC, 0));
  if (!wait->fd.valid()) return fail(errno, "fcntl");
  wait->lock = lock_of(info[1], info[2]);
  wait->settle = Napi::ThreadSafeFunction::New(env, info[3].As<Napi::Function>(), "tsbuild:lock", 0, 1);
  // Added after the function's own hook, and therefore run before it: the thread never calls into what is gone.
  wait->exit_hook = new SharedWait(wait);
  napi_add_env_cleanup_hook(env, on_environment_exit, wait->exit_hook);
  if (!Thread::start_detached([wait] { wait_for_lock(wait); })) {
    give_up(env, wait);
    return fail(EAGAIN, "pthread_create");
  }
  return Napi::Function::New(env, [wait](const Napi::CallbackInfo& call) { give_up(call.Env(), wait); });
}

}  // namespace

void export_locks(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLock", Napi::Function::New(env, try_lock));
  exports.Set("waitLock", Napi::Function::New(env, wait_lock));
}

}  // namespace tsbuild
