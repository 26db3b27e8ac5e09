#include "search-many.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "first-failure.h"
#include "search-file.h"
#include "source-file.h"
#include "thread.h"

namespace tsbuild {

namespace {

constexpr size_t kMostReadBytes = 256 * 1024;

/** The file that was listed is not there now. */
bool is_gone(const Failure& failure) {
  return !failure.reason.empty() || failure.error == ENOENT || failure.error == ELOOP || failure.error == ENOTDIR;
}

Outcome search_one(Below* root, std::string_view path, const Patterns& patterns, const std::atomic<bool>& cancelled, Matches* matches) {
  SourceFile file;
  if (Outcome failure = file.open(root, path)) return is_gone(*failure) ? Outcome{} : failure;
  // One byte more than there is finds the end with the first read.
  size_t read_bytes = static_cast<size_t>(std::min<uint64_t>(file.size() + 1, kMostReadBytes));
  // A pattern may begin or end in a hole: more of one than its length makes no difference.
  SparseReader reader = file.sparse_reader(2 * patterns.longest());
  return search_all([&](char* to, size_t most, size_t* count) { return reader.read(to, most, count); }, read_bytes, patterns, cancelled, matches);
}

}  // namespace

Outcome search_many(const std::string& root, const std::vector<std::string_view>& paths, const Patterns& patterns, unsigned threads,
                    const std::atomic<bool>& cancelled, std::vector<Found>* found) {
  std::atomic<size_t> next{0};
  std::mutex adding;
  FirstFailure first;
  run_parallel(static_cast<unsigned>(std::min<size_t>(threads, paths.size())), [&](unsigned) {
    Below below;
    if (Outcome failure = below.open_root(root)) return first.add(0, std::move(*failure));
    for (size_t i = next++; i < paths.size() && !first.any(); i = next++) {
      Matches matches(patterns.groups(), 1);
      if (Outcome failure = search_one(&below, paths[i], patterns, cancelled, &matches)) return first.add(i, std::move(*failure));
      if (matches.all().empty()) continue;
      std::lock_guard<std::mutex> lock(adding);
      for (const Match& match : matches.all()) found->push_back({i, match.pattern});
    }
  });
  std::stable_sort(found->begin(), found->end(), [](const Found& a, const Found& b) { return a.file < b.file; });
  return first.take();
}

}  // namespace tsbuild
