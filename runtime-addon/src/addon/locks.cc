#include "locks.h"

#include <fcntl.h>
#include <sys/file.h>

#include <memory>
#include <mutex>

#include "failure.h"
#include "../fd.h"
#include "thread.h"

namespace tsbuild {

namespace {

/** A wait for a lock on a thread of its own, which may outlast whoever asked for it. */
struct Wait {
  Fd fd;
  int operation = 0;
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
  int result = retry([&] { return flock(wait->fd.get(), wait->operation); });
  int error = result == 0 ? 0 : errno;
  std::lock_guard<std::mutex> lock(wait->mutex);
  // The lock belongs to the open file, of which the caller may have other descriptors.
  if (!wait->wanted && result == 0) flock(wait->fd.get(), LOCK_UN);
  wait->fd.reset();
  if (!wait->wanted) return;
  wait->wanted = false;
  wait->settle.NonBlockingCall([wait, error](Napi::Env env, Napi::Function settle) {
    remove_exit_hook(env, wait);
    settle.Call({error == 0 ? env.Undefined() : Failure::system(error, "flock").to_error(env).Value()});
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

/** flock(fd, operation): true, or false when others hold it. Does not wait. */
Napi::Value try_flock(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  int fd = info[0].ToNumber().Int32Value();
  int operation = info[1].ToNumber().Int32Value();
  if (retry([&] { return flock(fd, operation | LOCK_NB); }) == 0) return Napi::Boolean::New(env, true);
  if (errno == EWOULDBLOCK) return Napi::Boolean::New(env, false);
  Failure::system(errno, "flock").to_error(env).ThrowAsJavaScriptException();
  return env.Undefined();
}

/** waitFlock(fd, operation, settle(error?)): waits elsewhere, and answers with a function that gives the wait up. */
Napi::Value wait_flock(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto fail = [env](int error, const char* syscall) {
    Failure::system(error, syscall).to_error(env).ThrowAsJavaScriptException();
    return env.Undefined();
  };
  auto wait = std::make_shared<Wait>();
  // A copy: the caller may close his, and the number may come to mean another file.
  wait->fd.reset(fcntl(info[0].ToNumber().Int32Value(), F_DUPFD_CLOEXEC, 0));
  if (!wait->fd.valid()) return fail(errno, "fcntl");
  wait->operation = info[1].ToNumber().Int32Value();
  wait->settle = Napi::ThreadSafeFunction::New(env, info[2].As<Napi::Function>(), "tsbuild:flock", 0, 1);
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
  exports.Set("tryFlock", Napi::Function::New(env, try_flock));
  exports.Set("waitFlock", Napi::Function::New(env, wait_flock));
}

}  // namespace tsbuild
