#pragma once

#include <napi.h>

namespace tsbuild {

void export_locks(Napi::Env env, Napi::Object exports);

}  // namespace tsbuild
