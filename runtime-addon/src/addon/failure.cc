#include "failure.h"

#include <uv.h>

namespace tsbuild {

Napi::Error Failure::to_error(Napi::Env env) const {
  if (error == 0) {
    Napi::Error changed = Napi::Error::New(env, "reading " + path + ": file changed: " + reason);
    changed.Set("code", Napi::String::New(env, "FILE_CHANGED"));
    changed.Set("path", Napi::String::New(env, path));
    return changed;
  }
  char name[64];
  char text[256];
  uv_err_name_r(-error, name, sizeof name);
  uv_strerror_r(-error, text, sizeof text);
  std::string message = std::string(name) + ": " + text + ", " + syscall;
  if (!path.empty()) message += " '" + path + "'";
  if (!dest.empty()) message += " -> '" + dest + "'";

  Napi::Error result = Napi::Error::New(env, message);
  result.Set("code", Napi::String::New(env, name));
  result.Set("errno", Napi::Number::New(env, -error));
  result.Set("syscall", Napi::String::New(env, syscall));
  if (!path.empty()) result.Set("path", Napi::String::New(env, path));
  if (!dest.empty()) result.Set("dest", Napi::String::New(env, dest));
  return result;
}

}  // namespace tsbuild
