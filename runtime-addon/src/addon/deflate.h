#pragma once

#include <napi.h>

namespace tsbuild {

/** Adds gzipFile, and the name of the library that does it as gzipLibrary; nothing where the addon is built without one. */
void export_deflate(Napi::Env env, Napi::Object exports);

}  // namespace tsbuild
