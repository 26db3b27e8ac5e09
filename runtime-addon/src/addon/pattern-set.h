#pragma once

#include <napi.h>

namespace tsbuild {

void export_pattern_set(Napi::Env env, Napi::Object exports);

}  // namespace tsbuild
