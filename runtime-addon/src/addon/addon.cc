#include <fcntl.h>
#include <linux/fs.h>
#include <napi.h>
#include <sys/syscall.h>

#include <functional>
#include <memory>

#include "allocated.h"
#include "attributes.h"
#include "deflate.h"
#include "extract.h"
#include "../fd.h"
#include "hash-many.h"
#include "job.h"
#include "locks.h"
#include "pattern-set.h"
#include "remove.h"
#include "tar-reader.h"
#include "tar-sink.h"
#include "walk.h"

namespace tsbuild {

namespace {

/** A job made of one function that appends its answer to `bytes`. */
class ListJob : public Job {
 public:
  using Work = std::function<Outcome(MessageReader list, std::string* bytes)>;

  ListJob(Napi::Env env, bool answers, Work work) : Job(env), answers_(answers), work_(std::move(work)) {}
  void lend(const Napi::Value& numbers, const Napi::Value& text) { list_ = borrow(numbers, text); }

 private:
  Outcome run() override { return work_(list_, &bytes_); }
  Napi::Value result(Napi::Env env) override { return answers_ ? buffer_of(env, bytes_) : env.Undefined(); }

  bool answers_;
  Work work_;
  MessageReader list_;
  std::string bytes_;
};

/** {bytes, error}: an error does not keep what was measured back. */
class MeasureJob : public Job {
 public:
  explicit MeasureJob(const Napi::CallbackInfo& info) : Job(info.Env()), path_(info[0].ToString().Utf8Value()) {}

 private:
  Outcome run() override {
    allocated_ = allocated_bytes(path_);
    return {};
  }
  Napi::Value result(Napi::Env env) override {
    auto result = Napi::Object::New(env);
    result.Set("bytes", static_cast<double>(allocated_.bytes));
    if (allocated_.failure) result.Set("error", allocated_.failure->to_error(env).Value());
    return result;
  }

  std::string path_;
  Allocated allocated_;
};

enum class Answer { kNothing, kBytes };

/** Queues work on the list that arguments `first` and `first + 1` hold. */
Napi::Value start_list(const Napi::CallbackInfo& info, size_t first, Answer answer, ListJob::Work work) {
  auto job = new ListJob(info.Env(), answer == Answer::kBytes, std::move(work));
  job->lend(info[first], info[first + 1]);
  return Job::start(job);
}

/** False when the message is no list of texts. */
bool read_paths(MessageReader list, std::vector<std::string_view>* paths) {
  while (!list.at_end()) paths->push_back(list.text());
  return list.intact();
}

std::string text_of(const Napi::Value& value) { return value.ToString().Utf8Value(); }

Napi::Value scan(const Napi::CallbackInfo& info) {
  WalkOptions options{info[3].ToBoolean().Value(), info[4].ToBoolean().Value(), static_cast<size_t>(info[5].ToNumber().Int64Value()),
                      threads_of(info[6])};
  return start_list(info, 1, Answer::kBytes, [root = text_of(info[0]), options](MessageReader list, std::string* bytes) -> Outcome {
    std::vector<std::string_view> directories;
    if (!read_paths(list, &directories)) return malformed_message();
    return walk(root, directories, options, bytes);
  });
}

Napi::Value stat_listed(const Napi::CallbackInfo& info) {
  bool xattrs = info[3].ToBoolean().Value();
  return start_list(info, 1, Answer::kBytes, [root = text_of(info[0]), xattrs](MessageReader list, std::string* bytes) -> Outcome {
    std::vector<std::string_view> paths;
    if (!read_paths(list, &paths)) return malformed_message();
    return stat_many(root, paths, xattrs, bytes);
  });
}

Napi::Value hash_files(const Napi::CallbackInfo& info) {
  unsigned threads = threads_of(info[3]);
  return start_list(info, 1, Answer::kBytes, [root = text_of(info[0]), threads](MessageReader list, std::string* bytes) -> Outcome {
    std::vector<std::string_view> paths;
    if (!read_paths(list, &paths)) return malformed_message();
    return hash_many(root, paths, threads, bytes);
  });
}

Napi::Value extract_entries(const Napi::CallbackInfo& info) {
  bool owners = info[4].ToBoolean().Value();
  unsigned threads = threads_of(info[5]);
  return start_list(info, 2, Answer::kNothing, [root = text_of(info[0]), tar = text_of(info[1]), owners, threads](MessageReader list, std::string*) {
    return extract(root, tar, list, owners, threads);
  });
}

Napi::Value set_attributes_listed(const Napi::CallbackInfo& info) {
  return start_list(info, 1, Answer::kNothing, [root = text_of(info[0])](MessageReader list, std::string*) { return set_many(root, list); });
}

Napi::Value remove_paths(const Napi::CallbackInfo& info) {
  return start_list(info, 1, Answer::kNothing, [root = text_of(info[0])](MessageReader list, std::string*) -> Outcome {
    std::vector<std::string_view> paths;
    if (!read_paths(list, &paths)) return malformed_message();
    return remove_many(root, paths);
  });
}

Napi::Value remove_tree_at(const Napi::CallbackInfo& info) {
  return Job::start(new ListJob(info.Env(), false, [path = text_of(info[0])](MessageReader, std::string*) { return remove_tree(path); }));
}

Napi::Value allocated_bytes_at(const Napi::CallbackInfo& info) { return Job::start(new MeasureJob(info)); }

Napi::Value sync_file_system(const Napi::CallbackInfo& info) {
  auto fd = std::make_shared<Fd>(fcntl(info[0].ToNumber().Int32Value(), F_DUPFD_CLOEXEC, 0));
  int error = fd->valid() ? 0 : errno;
  return Job::start(new ListJob(info.Env(), false, [fd, error](MessageReader, std::string*) -> Outcome {
    if (error != 0) return Failure::system(error, "syncfs");
    if (syncfs(fd->get()) != 0) return Failure::system(errno, "syncfs");
    return {};
  }));
}

Napi::Value rename_no_replace(const Napi::CallbackInfo& info) {
  std::string from = text_of(info[0]);
  std::string to = text_of(info[1]);
  if (syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    Failure::system(errno, "renameat2", from, to).to_error(info.Env()).ThrowAsJavaScriptException();
  }
  return info.Env().Undefined();
}

/** Whatever other threads do, for which exit(3) would wait. */
Napi::Value end_process(const Napi::CallbackInfo& info) { _exit(info[0].ToNumber().Int32Value()); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("scan", scan);
  add("statMany", stat_listed);
  add("hashFiles", hash_files);
  add("extract", extract_entries);
  add("setAttributes", set_attributes_listed);
  add("removePaths", remove_paths);
  add("removeTree", remove_tree_at);
  add("allocatedBytes", allocated_bytes_at);
  add("endProcess", end_process);
  add("syncFileSystem", sync_file_system);
  add("renameNoReplace", rename_no_replace);
  export_deflate(env, exports);
  export_locks(env, exports);
  export_pattern_set(env, exports);
  export_tar_reader(env, exports);
  export_tar_sink(env, exports);
  return exports;
}

}  // namespace

}  // namespace tsbuild

static Napi::Object initialize(Napi::Env env, Napi::Object exports) { return tsbuild::init(env, exports); }

NODE_API_MODULE(addon, initialize)
