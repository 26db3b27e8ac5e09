#include "below.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <climits>

namespace tsbuild {

namespace {

constexpr int kMaxRaces = 64;

int open_in_kernel(int directory, const char* path, int flags) {
  open_how how{};
  // No O_NOFOLLOW: with it, a symlink as last segment would be ENOTDIR for a directory and not ELOOP.
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  for (int races = 0;; races++) {
    int fd = static_cast<int>(retry([&] { return syscall(SYS_openat2, directory, path, &how, sizeof how); }));
    // EAGAIN: a rename elsewhere raced with the lookup (openat2(2)).
    if (fd >= 0 || errno != EAGAIN || races >= kMaxRaces) return fd;
  }
}

/** False below kernel 5.6, and where a seccomp filter older than the call refuses it. */
bool has_openat2() {
  static const bool works = [] {
    Fd fd(open_in_kernel(AT_FDCWD, ".", O_PATH | O_CLOEXEC));
    return fd.valid();
  }();
  return works;
}

/** openat(2) of one segment; a symlink is ELOOP, whatever the flags. */
int open_segment(int directory, const char* name, int flags) {
  int fd = retry([&] { return ::openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC); });
  if (fd >= 0 || errno != ENOTDIR) return fd;
  char target;
  errno = readlinkat(directory, name, &target, sizeof target) >= 0 ? ELOOP : ENOTDIR;
  return -1;
}

/** The same as openat2, one segment at a time. */
int open_by_segments(int directory, std::string_view path, int flags) {
  Fd current;
  for (;;) {
    int base = current.valid() ? current.get() : directory;
    size_t slash = path.find('/');
    std::string segment(path.substr(0, slash));
    if (slash == std::string_view::npos) {
      return open_segment(base, segment.c_str(), flags);
    }
    current.reset(open_segment(base, segment.c_str(), O_PATH | O_DIRECTORY));
    if (!current.valid()) return -1;
    path.remove_prefix(slash + 1);
  }
}

/** A path that the kernel takes at once. */
int open_short(int directory, const std::string& path, int flags) {
  return has_openat2() ? open_in_kernel(directory, path.c_str(), flags) : open_by_segments(directory, path, flags);
}

bool is_plain(std::string_view path) {
  if (path.empty()) return true;
  if (path.find('\0') != std::string_view::npos) return false;
  for (;;) {
    size_t slash = path.find('/');
    std::string_view segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string Place::proc_path() const { return "/proc/self/fd/" + std::to_string(parent) + "/" + name; }

Outcome Below::open_root(const std::string& root) {
  root_path_ = root;
  root_.reset(retry([&] { return ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!root_.valid()) return Failure::system(errno, "open", root);
  return {};
}

int Below::open(std::string_view path, int flags) const {
  if (!is_plain(path)) {
    errno = EINVAL;
    return -1;
  }
  flags |= O_CLOEXEC;
  Fd part;
  while (path.size() >= PATH_MAX) {
    size_t slash = path.rfind('/', PATH_MAX - 1);
    if (slash == std::string_view::npos) {
      errno = ENAMETOOLONG;
      return -1;
    }
    int base = part.valid() ? part.get() : root_.get();
    part.reset(open_short(base, std::string(path.substr(0, slash)), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!part.valid()) return -1;
    path.remove_prefix(slash + 1);
  }
  return open_short(part.valid() ? part.get() : root_.get(), path.empty() ? "." : std::string(path), flags);
}

bool Below::find(std::string_view path, Place* place) {
  if (!is_plain(path)) {
    errno = EINVAL;
    return false;
  }
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    name_ = path.empty() ? "." : std::string(path);
    *place = {root_.get(), name_.c_str()};
    return true;
  }
  std::string_view parent = path.substr(0, slash);
  if (!parent_.valid() || parent_path_ != parent) {
    parent_.reset(open(parent, O_PATH | O_DIRECTORY));
    if (!parent_.valid()) return false;
    parent_path_ = parent;
  }
  name_ = path.substr(slash + 1);
  *place = {parent_.get(), name_.c_str()};
  return true;
}

std::string Below::shown(std::string_view path) const {
  if (path.empty()) return root_path_;
  return root_path_ + (root_path_.empty() || root_path_.back() == '/' ? "" : "/") + std::string(path);
}

Failure Below::failed(const char* syscall, std::string_view path) const {
  int error = errno;
  return Failure::system(error, syscall, shown(path));
}

}  // namespace tsbuild
