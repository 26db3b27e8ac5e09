#include "mounts.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <utility>

#include "mount-new.h"
#include "overlay.h"
#include "spec.h"
#include "syscalls.h"
#include "words.h"

namespace {

constexpr unsigned kInert = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

bool has_word(const std::string& text, const std::string& word) {
  const std::vector<std::string> all = words(text, ' ');
  return std::find(all.begin(), all.end(), word) != all.end();
}

// Makes an unattached copy of a mount with more attributes; `recursive`: with everything mounted below.
Result copy_tree(int at, const char* path, unsigned flags, uint64_t attributes, bool recursive, Fd& tree) {
  const unsigned depth = recursive ? sys::kAtRecursive : 0;
  tree = Fd(sys::open_tree(at, path, OPEN_TREE_CLONE | flags | depth));
  if (!tree.valid()) return failed("open_tree", path);
  mount_attr wanted{};
  wanted.attr_set = attributes;
  wanted.propagation = MS_PRIVATE;
  return sys::mount_setattr(tree.get(), depth, wanted) < 0 ? failed("mount_setattr", path) : success();
}

Result kind_of(const Fd& fd, const std::string& path, Kind& kind) {
  struct stat status;
  if (fstat(fd.get(), &status) < 0) return failed("fstat", path);
  kind = S_ISDIR(status.st_mode) ? Kind::directory : Kind::file;
  return success();
}

bool is_same(const Fd& a, const Fd& b) {
  struct stat one, other;
  return fstat(a.get(), &one) == 0 && fstat(b.get(), &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Whether a place is part of what the sandbox itself stands on.
bool is_kept(const Root& root, const Fd& place) {
  struct statfs system;
  if (fstatfs(place.get(), &system) < 0) return true;
  if (system.f_type == PROC_SUPER_MAGIC || system.f_type == SYSFS_MAGIC) return true;
  Fd dev;
  return is_same(place, root.top) || (open_inside(root, "/dev", dev).ok() && is_same(place, dev));
}

Result new_tmpfs(const std::string& size, const std::string& mode, Fd& mount, unsigned attributes = 0, MountOptions options = {}) {
  options.push_back({"mode", mode});
  if (size != "-") options.push_back({"size", size});
  return new_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | attributes, mount);
}

}  // namespace

Result attach(Root& root, const Fd& mount, const std::string& target, Kind kind) {
  Fd place;
  if (Result r = open_or_create(root, target, kind, place); !r.ok()) return r;
  return sys::move_mount(mount.get(), place.get()) < 0 ? failed("move_mount", target) : success();
}

Result attach_asked(Root& root, const Fd& mount, const std::string& target, Kind kind) {
  Fd place;
  if (Result r = open_or_create(root, target, kind, place); !r.ok()) return r;
  if (is_kept(root, place)) return failure("fstatfs", EBUSY, target);
  return sys::move_mount(mount.get(), place.get()) < 0 ? failed("move_mount", target) : success();
}

// "uid=N" and "gid=N" among the words.
MountOptions owner_options(const std::string& flags) {
  MountOptions options;
  for (const std::string& word : words(flags, ' '))
    if (word.rfind("uid=", 0) == 0 || word.rfind("gid=", 0) == 0) options.push_back({word.substr(0, 3), word.substr(4)});
  return options;
}

Result attach_plain(Root& root, const Fd& mount, const std::string& target, Kind kind) {
  if (Result r = refuse_links(root, target); !r.ok()) return r;
  return attach(root, mount, target, kind);
}

Result bind(Root& root, const std::string& source, const std::string& target, const std::string& flags) {
  Fd tree;
  const uint64_t attributes = MOUNT_ATTR_NODEV | (has_word(flags, "read-only") ? MOUNT_ATTR_RDONLY : 0);
  if (Result r = copy_tree(AT_FDCWD, source.c_str(), 0, attributes, has_word(flags, "recursive"), tree); !r.ok()) return r;
  Kind kind = Kind::file;
  if (Result r = kind_of(tree, source, kind); !r.ok()) return r;
  return attach_asked(root, tree, target, kind);
}

Result bind_overlay(Root& root, const std::string& upper, const std::string& work, const std::string& source, const std::string& target) {
  Overlay overlay{std::exchange(root.lowers, {}), {}, {}};
  if (upper != "-") overlay.upper = upper, overlay.work = work;
  Fd mount;
  bool directory = false;
  if (Result r = open_overlay(overlay, source, mount, directory); !r.ok()) return r;
  return attach_asked(root, mount, target, directory ? Kind::directory : Kind::file);
}

Result bind_tmpfs(Root& root, const std::string& target, const std::string& size, const std::string& mode, const std::string& flags) {
  Fd mount;
  const unsigned attributes = (has_word(flags, "noexec") ? MOUNT_ATTR_NOEXEC : 0) | (has_word(flags, "read-only") ? MOUNT_ATTR_RDONLY : 0);
  if (Result r = new_tmpfs(size, mode, mount, attributes, owner_options(flags)); !r.ok()) return r;
  return attach_asked(root, mount, target, Kind::directory);
}

Result mount_proc(Root& root, const std::string& target) {
  Fd mount;
  if (Result r = new_mount("proc", {}, kInert, mount); !r.ok()) return r;
  return attach_plain(root, mount, target, Kind::directory);
}

Result bind_outer_proc(Root& root, const std::string& target) {
  Fd mount;
  if (Result r = copy_tree(AT_FDCWD, "/proc", 0, kInert, true, mount); !r.ok()) return r;
  return attach_plain(root, mount, target, Kind::directory);
}

Result mount_sysfs(Root& root, const std::string& target, bool read_only) {
  const unsigned attributes = kInert | (read_only ? MOUNT_ATTR_RDONLY : 0);
  Fd mount;
  const Result own = new_mount("sysfs", {}, attributes, mount);
  // sysfs shows the devices of a network namespace: only who owns that may mount it.
  if (!own.ok() && own.error != EPERM) return own;
  if (!own.ok())
    if (Result r = copy_tree(AT_FDCWD, "/sys", 0, attributes, true, mount); !r.ok()) return r;
  return attach_plain(root, mount, target, Kind::directory);
}

Result mount_cgroup2(Root& root, const std::string& target) {
  Fd mount;
  if (const Result r = new_mount("cgroup2", {}, kInert | MOUNT_ATTR_RDONLY, mount); !r.ok()) {
    root.status.skipped("--cgroup2", r);
    return mask(root, target);
  }
  return attach_plain(root, mount, target, Kind::directory);
}

Result mount_cgroup1(Root& root, const std::string& target, const std::string& hierarchies) {
  Fd directory;
  if (Result r = new_tmpfs("64k", "0755", directory); !r.ok()) return r;
  if (Result r = attach(root, directory, target, Kind::directory); !r.ok()) return r;
  for (const std::string& each : words(hierarchies, ' ')) {
    const size_t equals = std::min(each.find('='), each.size() - 1);
    MountOptions options;
    for (const std::string& name : words(each.substr(equals + 1), ',')) options.push_back({name, ""});
    Fd mount;
    const Result made = new_mount("cgroup", options, kInert | MOUNT_ATTR_RDONLY, mount);
    if (!made.ok()) root.status.skipped("--cgroup1", made);
    else if (Result r = attach(root, mount, target + "/" + each.substr(0, equals), Kind::directory); !r.ok()) return r;
  }
  Fd top;
  if (Result r = open_inside(root, target, top); !r.ok()) return r;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC;
  return sys::mount_setattr(top.get(), 0, attributes) < 0 ? failed("mount_setattr", target) : success();
}

Result write_file(Root& root, const std::string& target, const std::string& mode, const std::string& content) {
  uint64_t bits;
  if (!parse_number(mode, 07777, bits, 8)) return failure("spec", EINVAL, mode);
  const size_t slash = target.find_last_of('/');
  Fd parent;
  if (Result r = open_or_create(root, target.substr(0, slash), Kind::directory, parent); !r.ok()) return r;
  Fd file(openat(parent.get(), target.c_str() + slash + 1, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0600));
  if (!file.valid()) return failed("openat", target);
  for (size_t at = 0; at < content.size();) {
    const ssize_t length = write(file.get(), content.data() + at, content.size() - at);
    if (length < 0) return failed("write", target);
    at += static_cast<size_t>(length);
  }
  return fchmod(file.get(), static_cast<mode_t>(bits)) < 0 ? failed("fchmod", target) : success();
}

Result mask(Root& root, const std::string& path) {
  Fd place;
  if (const Result r = open_inside(root, path, place); !r.ok()) return r.error == ENOENT ? success() : r;
  Kind kind = Kind::file;
  if (Result r = kind_of(place, path, kind); !r.ok()) return r;
  Fd cover;
  const Result made = kind == Kind::directory
                          ? new_mount("tmpfs", {{"size", "4k"}}, kInert | MOUNT_ATTR_RDONLY, cover)
                          : copy_tree(AT_FDCWD, "/dev/null", 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, false, cover);
  if (!made.ok()) return made;
  return sys::move_mount(cover.get(), place.get()) < 0 ? failed("move_mount", path) : success();
}

Result make_read_only(Root& root, const std::string& path) {
  Fd place;
  if (const Result r = open_inside(root, path, place); !r.ok()) return r.error == ENOENT ? success() : r;
  Fd tree;
  if (Result r = copy_tree(place.get(), "", AT_EMPTY_PATH, kInert | MOUNT_ATTR_RDONLY, true, tree); !r.ok()) return failure(r.syscall, r.error, path);
  return sys::move_mount(tree.get(), place.get()) < 0 ? failed("move_mount", path) : success();
}

Result make_root_read_only(Root& root) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return sys::mount_setattr(root.top.get(), 0, attributes) < 0 ? failed("mount_setattr", "/") : success();
}
