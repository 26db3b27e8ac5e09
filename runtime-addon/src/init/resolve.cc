#include "resolve.h"

#include <sys/stat.h>

#include <climits>

#include "syscalls.h"

namespace {

constexpr int kMaxSymlinks = 40;

Fd open_path(int directory, const std::string& path, uint64_t resolve = 0) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
  const char* relative = path.c_str();
  while (*relative == '/') relative++;
  if (*relative == '\0') relative = ".";
  for (;;) {
    Fd fd(sys::openat2(directory, relative, how));
    // EAGAIN: something was renamed or mounted on this machine while ".." was walked (openat2(2)).
    if (fd.valid() || errno != EAGAIN) return fd;
  }
}

struct Split {
  std::string parent, name;
};

Split split(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? end : path.find_last_of('/', end);
  if (slash == std::string::npos) return {"", path.substr(0, end + 1)};
  return {path.substr(0, slash), path.substr(slash + 1, end - slash)};
}

std::string real_path(int fd) {
  char buffer[PATH_MAX];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), buffer, sizeof buffer);
  return length < 0 ? "" : std::string(buffer, static_cast<size_t>(length));
}

// Mount points on other file systems (/dev, a tmpfs) leave nothing in the root file system.
void report(const Root& root, int parent, const std::string& name) {
  struct stat above, top;
  if (fstat(parent, &above) < 0 || fstat(root.top.get(), &top) < 0 || above.st_dev != top.st_dev) return;
  const std::string prefix = real_path(root.top.get()), directory = real_path(parent);
  root.status.created((directory.size() >= prefix.size() ? directory.substr(prefix.size()) : directory) + "/" + name);
}

Result make(const Root& root, int parent, const std::string& path, const std::string& name, Kind kind) {
  struct stat before;
  if (fstat(parent, &before) < 0) return failed("fstat", path);
  if (kind == Kind::directory) {
    if (mkdirat(parent, name.c_str(), 0755) < 0) return failed("mkdirat", path);
  } else {
    Fd file(openat(parent, name.c_str(), O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0644));
    if (!file.valid()) return failed("openat", path);
  }
  // The mount point is to leave no trace: its directory keeps the time it had.
  const timespec times[] = {before.st_atim, before.st_mtim};
  const Fd directory(openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return failed("openat", path);
  if (futimens(directory.get(), times) < 0) return failed("futimens", path);
  report(root, parent, name);
  return success();
}

}  // namespace

Result open_confined(int directory, const std::string& path, Fd& fd) {
  fd = open_path(directory, path);
  return fd.valid() ? success() : failed("openat2", path);
}

Result open_inside(const Root& root, const std::string& path, Fd& fd) { return open_confined(root.top.get(), path, fd); }

Result refuse_links(const Root& root, const std::string& path) {
  return open_path(root.top.get(), path, RESOLVE_NO_SYMLINKS).valid() || errno != ELOOP ? success() : failed("openat2", path);
}

Result open_or_create(const Root& root, const std::string& path, Kind kind, Fd& fd) {
  std::string wanted = path;
  for (int links = 0; links <= kMaxSymlinks; links++) {
    fd = open_path(root.top.get(), wanted);
    if (fd.valid()) return success();
    if (errno != ENOENT) return failed("openat2", path);
    const Split at = split(wanted);
    Fd parent;
    if (Result r = open_or_create(root, at.parent, Kind::directory, parent); !r.ok()) return r;
    if (at.name == "." || at.name == "..") return open_inside(root, wanted, fd);
    const Result made = make(root, parent.get(), wanted, at.name, kind);
    if (made.ok()) return open_inside(root, wanted, fd);
    if (made.error != EEXIST) return made;
    char target[PATH_MAX];
    const ssize_t length = readlinkat(parent.get(), at.name.c_str(), target, sizeof target);
    if (length < 0) return failed("readlinkat", wanted);
    const std::string link(target, static_cast<size_t>(length));
    wanted = link[0] == '/' ? link : at.parent + "/" + link;
  }
  return failure("openat2", ELOOP, path);
}
