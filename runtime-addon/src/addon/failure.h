#pragma once

#include <napi.h>

#include <optional>
#include <string>

namespace tsbuild {

/** Why a piece of work stopped. Made on any thread; becomes a JavaScript error on the main one. */
struct Failure {
  /** A failed system call, with its errno. */
  static Failure system(int error, const char* syscall, std::string path = {}, std::string dest = {}) {
    Failure failure;
    failure.error = error;
    failure.syscall = syscall;
    failure.path = std::move(path);
    failure.dest = std::move(dest);
    return failure;
  }
  /** A file is not what the caller said that it is. */
  static Failure changed(std::string path, std::string reason) {
    Failure failure;
    failure.path = std::move(path);
    failure.reason = std::move(reason);
    return failure;
  }

  /** Node's system-error shape {code, errno, syscall, path, dest}, or {code: "FILE_CHANGED", path}. */
  Napi::Error to_error(Napi::Env env) const;

  int error = 0;
  const char* syscall = "";
  std::string path;
  std::string dest;
  std::string reason;
};

/** Empty when the work was done. */
using Outcome = std::optional<Failure>;

}  // namespace tsbuild
