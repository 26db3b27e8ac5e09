#include "tar-sink.h"

#include <memory>

#include "job.h"
#include "tar-pieces.h"
#include "tar-stream.h"

namespace tsbuild {

namespace {

/** What outlives the JavaScript object while a job runs. */
struct Sink {
  TarStream stream;
  /** One job at a time: set and cleared on the main thread. */
  bool busy = false;
  /** The file is not what was asked for: nothing but abort is left. */
  Outcome broken;
};

class SinkJob : public Job {
 protected:
  SinkJob(Napi::Env env, std::shared_ptr<Sink> sink) : Job(env), sink_(std::move(sink)) { sink_->busy = true; }
  void settle(Napi::Env) override { sink_->busy = false; }

  std::shared_ptr<Sink> sink_;
};

class WriteJob : public SinkJob {
 public:
  WriteJob(const Napi::CallbackInfo& info, std::shared_ptr<Sink> sink, CancelFlag cancelled)
      : SinkJob(info.Env(), std::move(sink)), cancelled_(std::move(cancelled)), pieces_(borrow(info[0], info[1], info[2])) {
    auto hosts = info[3].As<Napi::Array>();
    for (uint32_t i = 0; i < hosts.Length(); i++) hosts_.push_back(hosts.Get(i).ToString().Utf8Value());
  }

 private:
  Outcome run() override {
    if (sink_->broken) return sink_->broken;
    Outcome reading = write_pieces(&sink_->stream, pieces_, hosts_, *cancelled_, &digests_);
    Outcome writing = sink_->stream.end();
    sink_->broken = writing ? writing : reading;
    return sink_->broken;
  }
  Napi::Value result(Napi::Env env) override { return buffer_of(env, digests_); }

  CancelFlag cancelled_;
  MessageReader pieces_;
  std::vector<std::string> hosts_;
  std::string digests_;
};

class FinishJob : public SinkJob {
 public:
  FinishJob(const Napi::CallbackInfo& info, std::shared_ptr<Sink> sink)
      : SinkJob(info.Env(), std::move(sink)), sync_(info[0].ToBoolean().Value()) {}

 private:
  Outcome run() override {
    if (!sink_->broken) sink_->broken = sink_->stream.close(sync_, &digest_);
    return sink_->broken;
  }
  Napi::Value result(Napi::Env env) override {
    auto result = Napi::Object::New(env);
    result.Set("digest", buffer_of(env, std::string(digest_.begin(), digest_.end())));
    result.Set("size", Napi::Number::New(env, static_cast<double>(sink_->stream.size())));
    return result;
  }

  bool sync_;
  DigestBytes digest_{};
};

class AbortJob : public SinkJob {
 public:
  AbortJob(Napi::Env env, std::shared_ptr<Sink> sink) : SinkJob(env, std::move(sink)) {}

 private:
  Outcome run() override { return sink_->stream.abandon(); }
};

class TarSink : public Napi::ObjectWrap<TarSink> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "TarSink",
                       {InstanceMethod("write", &TarSink::write), InstanceMethod("finish", &TarSink::finish),
                        InstanceMethod("abort", &TarSink::abort)});
  }

  explicit TarSink(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TarSink>(info), sink_(std::make_shared<Sink>()) {
    if (Outcome failure = sink_->stream.create(info[0].ToString().Utf8Value())) {
      failure->to_error(info.Env()).ThrowAsJavaScriptException();
    }
  }

 private:
  Napi::Value write(const Napi::CallbackInfo& info) {
    if (!is_free(info.Env())) return info.Env().Undefined();
    auto cancelled = make_cancel_flag();
    return Job::start(new WriteJob(info, sink_, cancelled), cancelled);
  }
  Napi::Value finish(const Napi::CallbackInfo& info) {
    return is_free(info.Env()) ? Job::start(new FinishJob(info, sink_)) : info.Env().Undefined();
  }
  Napi::Value abort(const Napi::CallbackInfo& info) {
    if (sink_->busy) return refuse(info.Env(), "the tar sink is still at work");
    return Job::start(new AbortJob(info.Env(), sink_));
  }

  bool is_free(Napi::Env env) {
    if (!sink_->busy && sink_->stream.is_open()) return true;
    refuse(env, sink_->busy ? "the tar sink is still at work" : "the tar sink is closed");
    return false;
  }
  Napi::Value refuse(Napi::Env env, const char* why) {
    Napi::Error::New(env, why).ThrowAsJavaScriptException();
    return env.Undefined();
  }

  std::shared_ptr<Sink> sink_;
};

}  // namespace

void export_tar_sink(Napi::Env env, Napi::Object exports) { exports.Set("TarSink", TarSink::define(env)); }

}  // namespace tsbuild
