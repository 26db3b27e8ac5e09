#pragma once

#include <napi.h>

namespace tsbuild {

void export_tar_sink(Napi::Env env, Napi::Object exports);

}  // namespace tsbuild
