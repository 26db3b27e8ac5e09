#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failure.h"
#include "message.h"

namespace tsbuild {

/** Set on the main thread; a job's threads look at it before each piece of their work, and fail with ECANCELED. */
using CancelFlag = std::shared_ptr<std::atomic<bool>>;

inline CancelFlag make_cancel_flag() { return std::make_shared<std::atomic<bool>>(false); }

/**
 * One call's work on a thread of libuv's pool, as a promise. `run` touches no JavaScript value; it may start threads of its
 * own, and never waits for a process or a lock.
 */
class Job : public Napi::AsyncWorker {
 public:
  /** Queues the job, which then owns itself. */
  static Napi::Promise start(Job* job) {
    Napi::Promise promise = job->deferred_.Promise();
    job->Queue();
    return promise;
  }
  /** The same as {done, cancel}. */
  static Napi::Object start(Job* job, CancelFlag cancelled);

 protected:
  explicit Job(Napi::Env env) : Napi::AsyncWorker(env), deferred_(env) {}

  virtual Outcome run() = 0;
  /** Called on the main thread after `run`, whether it failed or not. */
  virtual void settle(Napi::Env) {}
  virtual Napi::Value result(Napi::Env env) { return env.Undefined(); }

  /** Borrows a packed list (see MessageReader) for as long as the job lives. */
  MessageReader borrow(const Napi::Value& numbers, const Napi::Value& text, const Napi::Value& bytes);
  MessageReader borrow(const Napi::Value& numbers, const Napi::Value& text) { return borrow(numbers, text, Env().Undefined()); }

 private:
  void Execute() final { failure_ = run(); }
  void OnOK() final;

  Napi::Promise::Deferred deferred_;
  std::vector<Napi::ObjectReference> borrowed_;
  Outcome failure_;
};

/** The failure for a list that does not follow the packed form: a mistake of the caller, not of the input. */
Failure malformed_message();

/** A call's argument that says how many threads may work on it; at least one does. */
unsigned threads_of(const Napi::Value& count);

Napi::Value buffer_of(Napi::Env env, const std::string& bytes);

}  // namespace tsbuild
