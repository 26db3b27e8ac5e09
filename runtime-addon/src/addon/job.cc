#include "job.h"

#include <algorithm>
#include <cerrno>

namespace tsbuild {

Napi::Object Job::start(Job* job, CancelFlag cancelled) {
  Napi::Env env = job->Env();
  auto started = Napi::Object::New(env);
  started.Set("done", start(job));
  started.Set("cancel", Napi::Function::New(env, [cancelled](const Napi::CallbackInfo&) { *cancelled = true; }));
  return started;
}

void Job::OnOK() {
  Napi::Env env = Env();
  settle(env);
  if (failure_) {
    deferred_.Reject(failure_->to_error(env).Value());
  } else {
    deferred_.Resolve(result(env));
  }
}

MessageReader Job::borrow(const Napi::Value& numbers, const Napi::Value& text, const Napi::Value& bytes) {
  auto keep = [this](const Napi::Value& value) { borrowed_.push_back(Napi::Persistent(value.As<Napi::Object>())); };
  auto view = [&](const Napi::Value& value) -> std::string_view {
    if (!value.IsBuffer()) return {};
    keep(value);
    auto buffer = value.As<Napi::Buffer<char>>();
    return {buffer.Data(), buffer.Length()};
  };
  if (!numbers.IsTypedArray() || numbers.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    MessageReader nothing;
    nothing.refuse();
    return nothing;
  }
  keep(numbers);
  auto array = numbers.As<Napi::Float64Array>();
  return MessageReader(array.Data(), array.ElementLength(), view(text), view(bytes));
}

Failure malformed_message() { return Failure::system(EINVAL, "unpack"); }

unsigned threads_of(const Napi::Value& count) { return std::max(count.ToNumber().Uint32Value(), uint32_t{1}); }

Napi::Value buffer_of(Napi::Env env, const std::string& bytes) { return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size()); }

}  // namespace tsbuild
