#include "search-file.h"

#include <fcntl.h>
#include <unistd.h>

#include "../fd.h"

namespace tsbuild {

namespace {

constexpr size_t kReadBytes = 1024 * 1024;

/** Reads on behind what the buffer has; false at the end of the file. */
Outcome read_more(int fd, const std::string& path, std::string* buffer, bool* last) {
  size_t kept = buffer->size();
  buffer->resize(kept + kReadBytes);
  ssize_t count = retry([&] { return read(fd, buffer->data() + kept, kReadBytes); });
  if (count < 0) return Failure::system(errno, "read", path);
  buffer->resize(kept + static_cast<size_t>(count));
  *last = count == 0;
  return {};
}

}  // namespace

Outcome search_file(const std::string& path, const Patterns& patterns, Matches* matches) {
  Fd fd(retry([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return Failure::system(errno, "open", path);
  std::string buffer;
  size_t done = 0;
  for (bool last = false; !last && !matches->full();) {
    if (Outcome failure = read_more(fd.get(), path, &buffer, &last)) return failure;
    size_t open_from = patterns.find(buffer, done, last, matches);
    done += open_from;
    buffer.erase(0, open_from);
  }
  return {};
}

}  // namespace tsbuild
