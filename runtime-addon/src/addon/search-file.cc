#include "search-file.h"

#include <fcntl.h>
#include <unistd.h>

#include "../fd.h"

namespace tsbuild {

namespace {

constexpr size_t kReadBytes = 1024 * 1024;

}  // namespace

Outcome search_all(const ReadOn& read_on, size_t read_bytes, const Patterns& patterns, const std::atomic<bool>& cancelled, Matches* matches) {
  std::string buffer;
  size_t done = 0;
  for (bool last = false; !last && !matches->full();) {
    if (cancelled) return Failure::system(ECANCELED, "search");
    size_t kept = buffer.size();
    buffer.resize(kept + read_bytes);
    size_t count = 0;
    if (Outcome failure = read_on(buffer.data() + kept, read_bytes, &count)) return failure;
    buffer.resize(kept + count);
    last = count == 0;
    size_t open_from = patterns.find(buffer, done, last, matches);
    done += open_from;
    buffer.erase(0, open_from);
  }
  return {};
}

Outcome search_file(const std::string& path, const Patterns& patterns, const std::atomic<bool>& cancelled, Matches* matches) {
  Fd fd(retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return Failure::system(errno, "open", path);
  auto read_on = [&](char* to, size_t most, size_t* count) -> Outcome {
    ssize_t got = retry([&] { return read(fd.get(), to, most); });
    if (got < 0) return Failure::system(errno, "read", path);
    *count = static_cast<size_t>(got);
    return {};
  };
  return search_all(read_on, kReadBytes, patterns, cancelled, matches);
}

}  // namespace tsbuild
