#include "pattern-set.h"

#include <limits>
#include <memory>

#include "job.h"
#include "patterns.h"
#include "search-file.h"
#include "search-many.h"

namespace tsbuild {

namespace {

/** Three numbers for each match: where it begins, where it ends, and which pattern it is. */
Napi::Array array_of(Napi::Env env, const std::vector<Match>& matches) {
  auto array = Napi::Array::New(env, matches.size() * 3);
  uint32_t at = 0;
  for (const Match& match : matches)
    for (size_t number : {match.begin, match.end, match.pattern}) array.Set(at++, static_cast<double>(number));
  return array;
}

class SearchJob : public Job {
 public:
  SearchJob(const Napi::CallbackInfo& info, std::shared_ptr<const Patterns> patterns, CancelFlag cancelled)
      : Job(info.Env()),
        patterns_(std::move(patterns)),
        cancelled_(std::move(cancelled)),
        path_(info[0].ToString().Utf8Value()),
        matches_(patterns_->groups(), info[1].ToNumber().Uint32Value()) {}

 private:
  Outcome run() override { return search_file(path_, *patterns_, *cancelled_, &matches_); }
  Napi::Value result(Napi::Env env) override { return array_of(env, matches_.all()); }

  std::shared_ptr<const Patterns> patterns_;
  CancelFlag cancelled_;
  std::string path_;
  Matches matches_;
};

class SearchManyJob : public Job {
 public:
  SearchManyJob(const Napi::CallbackInfo& info, std::shared_ptr<const Patterns> patterns, CancelFlag cancelled)
      : Job(info.Env()),
        patterns_(std::move(patterns)),
        cancelled_(std::move(cancelled)),
        root_(info[0].ToString().Utf8Value()),
        paths_(borrow(info[1], info[2])),
        threads_(threads_of(info[3])) {}

 private:
  Outcome run() override {
    std::vector<std::string_view> paths;
    while (!paths_.at_end()) paths.push_back(paths_.text());
    if (!paths_.intact()) return malformed_message();
    return search_many(root_, paths, *patterns_, threads_, *cancelled_, &found_);
  }
  /** Two numbers for each pattern found: which file has it, and which it is. */
  Napi::Value result(Napi::Env env) override {
    auto array = Napi::Array::New(env, found_.size() * 2);
    uint32_t at = 0;
    for (const Found& found : found_)
      for (size_t number : {found.file, found.pattern}) array.Set(at++, static_cast<double>(number));
    return array;
  }

  std::shared_ptr<const Patterns> patterns_;
  CancelFlag cancelled_;
  std::string root_;
  MessageReader paths_;
  unsigned threads_;
  std::vector<Found> found_;
};

class PatternSet : public Napi::ObjectWrap<PatternSet> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "PatternSet",
                       {InstanceMethod("find", &PatternSet::find), InstanceMethod("searchFile", &PatternSet::search_file),
                        InstanceMethod("searchFiles", &PatternSet::search_files)});
  }

  /** An array of buffers, one of the bytes that do not count inside them, and one of their groups. */
  explicit PatternSet(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PatternSet>(info) {
    auto texts = info[0].As<Napi::Array>();
    auto breaks = info[1].As<Napi::Array>();
    auto groups = info[2].As<Napi::Array>();
    std::vector<Pattern> all;
    for (uint32_t i = 0; i < texts.Length(); i++) {
      auto bytes = texts.Get(i).As<Napi::Uint8Array>();
      all.push_back({std::string(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength()), breaks.Get(i).ToString().Utf8Value(),
                     groups.Get(i).ToNumber().Uint32Value()});
    }
    patterns_ = std::make_shared<const Patterns>(std::move(all));
  }

 private:
  /** Where what was looked through ends, then the matches. */
  Napi::Value find(const Napi::CallbackInfo& info) {
    auto text = info[0].As<Napi::Uint8Array>();
    Matches matches(patterns_->groups(), std::numeric_limits<size_t>::max());
    size_t end = patterns_->find({reinterpret_cast<const char*>(text.Data()), text.ByteLength()}, 0, info[1].ToBoolean().Value(), &matches);
    auto result = Napi::Object::New(info.Env());
    result.Set("end", static_cast<double>(end));
    result.Set("matches", array_of(info.Env(), matches.all()));
    return result;
  }
  Napi::Value search_file(const Napi::CallbackInfo& info) {
    auto cancelled = make_cancel_flag();
    return Job::start(new SearchJob(info, patterns_, cancelled), cancelled);
  }
  Napi::Value search_files(const Napi::CallbackInfo& info) {
    auto cancelled = make_cancel_flag();
    return Job::start(new SearchManyJob(info, patterns_, cancelled), cancelled);
  }

  std::shared_ptr<const Patterns> patterns_;
};

}  // namespace

void export_pattern_set(Napi::Env env, Napi::Object exports) { exports.Set("PatternSet", PatternSet::define(env)); }

}  // namespace tsbuild
