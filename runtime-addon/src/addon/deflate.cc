#include "deflate.h"

#ifdef TSBUILD_LIBDEFLATE

#include <libdeflate.h>

#include <string>

#include "gzip-file.h"
#include "job.h"

namespace tsbuild {

namespace {

class GzipJob : public Job {
 public:
  GzipJob(const Napi::CallbackInfo& info, CancelFlag cancelled)
      : Job(info.Env()),
        from_(info[0].ToString().Utf8Value()),
        to_(info[1].ToString().Utf8Value()),
        form_{info[2].ToNumber().Int32Value(), static_cast<size_t>(info[3].ToNumber().Int64Value()), threads_of(info[4])},
        cancelled_(std::move(cancelled)) {}

 private:
  Outcome run() override { return gzip_file(from_, to_, form_, *cancelled_, &sums_); }
  Napi::Value result(Napi::Env env) override {
    auto result = Napi::Object::New(env);
    result.Set("plainDigest", buffer_of(env, std::string(sums_.plain.begin(), sums_.plain.end())));
    result.Set("digest", buffer_of(env, std::string(sums_.gzip.begin(), sums_.gzip.end())));
    result.Set("size", Napi::Number::New(env, static_cast<double>(sums_.gzip_bytes)));
    return result;
  }

  std::string from_;
  std::string to_;
  GzipForm form_;
  CancelFlag cancelled_;
  GzipSums sums_;
};

/** gzipFile(from, to, level, blockBytes, threads): {done, cancel}. */
Napi::Value start_gzip(const Napi::CallbackInfo& info) {
  auto cancelled = make_cancel_flag();
  return Job::start(new GzipJob(info, cancelled), cancelled);
}

}  // namespace

void export_deflate(Napi::Env env, Napi::Object exports) {
  exports.Set("gzipLibrary", Napi::String::New(env, "libdeflate-" LIBDEFLATE_VERSION_STRING));
  exports.Set("gzipFile", Napi::Function::New(env, start_gzip));
}

}  // namespace tsbuild

#else

namespace tsbuild {

void export_deflate(Napi::Env, Napi::Object) {}

}  // namespace tsbuild

#endif
