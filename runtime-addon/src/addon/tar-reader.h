#pragma once

#include <napi.h>

namespace tsbuild {

void export_tar_reader(Napi::Env env, Napi::Object exports);

}  // namespace tsbuild
