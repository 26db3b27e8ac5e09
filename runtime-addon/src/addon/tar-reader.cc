#include "tar-reader.h"

#include <deque>
#include <memory>
#include <optional>

#include "chunk-ring.h"
#include "gunzip.h"
#include "job.h"
#include "tar-skimmer.h"

namespace tsbuild {

namespace {

/** 2 MiB. */
constexpr size_t kChunks = 8;
/** What one job may make of its input before it answers: a bomb must be seen while it is small. */
constexpr uint64_t kMostPlainBytes = 8 * 1024 * 1024;

/** What outlives the JavaScript object while a job runs. */
struct Reader {
  explicit Reader(bool is_gzip)
      : ring(kChunks, {[this](const char* bytes, size_t size) {
                         whole.update(bytes, size);
                         return true;
                       },
                       [this](const char* bytes, size_t size) {
                         skimmer.push({bytes, size});
                         return true;
                       }}) {
    if (is_gzip) gunzip.emplace();
  }

  /** Bytes of JavaScript's that are not read yet; added and let go on the main thread. */
  struct Input {
    Napi::ObjectReference owner;
    std::string_view bytes;
  };
  std::deque<Input> inputs;
  std::optional<Gunzip> gunzip;
  Sha256 whole;
  TarSkimmer skimmer;
  uint64_t plain_bytes = 0;
  ChunkRing ring;
  /** One job at a time: set and cleared on the main thread. */
  bool busy = false;
};

Napi::Object to_object(Napi::Env env, const TarSkimmer::Skimmed& skimmed) {
  auto contents = Napi::Float64Array::New(env, skimmed.contents.size() * 2);
  for (size_t i = 0; i < skimmed.contents.size(); i++) {
    contents[2 * i] = static_cast<double>(skimmed.contents[i].position);
    contents[2 * i + 1] = static_cast<double>(skimmed.contents[i].bytes);
  }
  auto result = Napi::Object::New(env);
  result.Set("rest", buffer_of(env, skimmed.rest));
  result.Set("contents", contents);
  result.Set("digests", buffer_of(env, skimmed.digests));
  return result;
}

class ReadJob : public Job {
 public:
  ReadJob(Napi::Env env, std::shared_ptr<Reader> reader) : Job(env), reader_(std::move(reader)) { reader_->busy = true; }

 private:
  Outcome run() override {
    uint64_t limit = reader_->plain_bytes + kMostPlainBytes;
    for (Reader::Input& input : reader_->inputs) {
      if (reader_->gunzip) {
        inflate(&input.bytes, limit);
      } else {
        reader_->ring.append(input.bytes.data(), input.bytes.size());
        reader_->plain_bytes += input.bytes.size();
        input.bytes = {};
      }
    }
    reader_->ring.end();
    if (!reader_->skimmer.ok()) return Failure::system(ENOMEM, "EVP_DigestFinal");
    skimmed_ = reader_->skimmer.take();
    return {};
  }

  void inflate(std::string_view* input, uint64_t limit) {
    Gunzip& gunzip = *reader_->gunzip;
    while (reader_->plain_bytes < limit && gunzip.broken() == nullptr) {
      size_t available;
      char* to = reader_->ring.room(&available);
      size_t put = gunzip.read(input, to, available);
      reader_->ring.advance(put);
      reader_->plain_bytes += put;
      if (put < available) return;
    }
    // More may come of it, also when all of it is taken.
    is_full_ = gunzip.broken() == nullptr;
  }

  void settle(Napi::Env) override {
    if (!is_full_) reader_->inputs.clear();
    while (!reader_->inputs.empty() && reader_->inputs.front().bytes.empty() && reader_->inputs.size() > 1) reader_->inputs.pop_front();
    reader_->busy = false;
  }

  Napi::Value result(Napi::Env env) override {
    Napi::Object result = to_object(env, skimmed_);
    result.Set("plainBytes", Napi::Number::New(env, static_cast<double>(reader_->plain_bytes)));
    result.Set("more", Napi::Boolean::New(env, is_full_));
    const char* broken = reader_->gunzip ? reader_->gunzip->broken() : nullptr;
    if (broken != nullptr) result.Set("broken", Napi::String::New(env, broken));
    return result;
  }

  std::shared_ptr<Reader> reader_;
  TarSkimmer::Skimmed skimmed_;
  bool is_full_ = false;
};

class TarReader : public Napi::ObjectWrap<TarReader> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "TarReader", {InstanceMethod("push", &TarReader::push), InstanceMethod("finish", &TarReader::finish)});
  }

  explicit TarReader(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<TarReader>(info), reader_(std::make_shared<Reader>(info[0].ToBoolean().Value())) {}

 private:
  Napi::Value push(const Napi::CallbackInfo& info) {
    if (reader_->busy) return refuse(info.Env());
    auto chunks = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < chunks.Length(); i++) {
      auto chunk = chunks.Get(i).As<Napi::Uint8Array>();
      auto* bytes = reinterpret_cast<const char*>(chunk.Data());
      reader_->inputs.push_back({Napi::Persistent(chunk.As<Napi::Object>()), {bytes, chunk.ByteLength()}});
    }
    return Job::start(new ReadJob(info.Env(), reader_));
  }

  Napi::Value finish(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    if (reader_->busy) return refuse(env);
    reader_->skimmer.end();
    Napi::Object result = to_object(env, reader_->skimmer.take());
    DigestBytes digest = reader_->whole.finish();
    if (!reader_->whole.ok()) {
      Failure::system(ENOMEM, "EVP_DigestFinal").to_error(env).ThrowAsJavaScriptException();
      return env.Undefined();
    }
    result.Set("digest", buffer_of(env, std::string(digest.begin(), digest.end())));
    result.Set("plainBytes", Napi::Number::New(env, static_cast<double>(reader_->plain_bytes)));
    if (reader_->gunzip && !reader_->gunzip->at_end()) result.Set("broken", Napi::String::New(env, "unexpected end of file"));
    return result;
  }

  Napi::Value refuse(Napi::Env env) {
    Napi::Error::New(env, "the tar reader is still at work").ThrowAsJavaScriptException();
    return env.Undefined();
  }

  std::shared_ptr<Reader> reader_;
};

}  // namespace

void export_tar_reader(Napi::Env env, Napi::Object exports) { exports.Set("TarReader", TarReader::define(env)); }

}  // namespace tsbuild
