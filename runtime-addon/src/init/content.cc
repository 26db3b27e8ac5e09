#include "content.h"

#include <sys/stat.h>

#include <climits>

#include "mount-new.h"
#include "mounts.h"
#include "spec.h"
#include "syscalls.h"

namespace {

constexpr const char* kName = "content";
constexpr unsigned kInert = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
// For the directory and what a page is rounded up to.
constexpr size_t kRoomBytes = 64 * 1024;

struct Owner {
  mode_t mode;
  uid_t uid;
  gid_t gid;
};

bool parse_owner(const std::string& mode, const std::string& uid, const std::string& gid, Owner& owner) {
  uint64_t bits, user, group;
  if (!parse_number(mode, 07777, bits, 8) || !parse_number(uid, UINT_MAX - 1, user) || !parse_number(gid, UINT_MAX - 1, group)) return false;
  owner = {static_cast<mode_t>(bits), static_cast<uid_t>(user), static_cast<gid_t>(group)};
  return true;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool decode(const std::string& hex, std::string& bytes) {
  if (hex.size() % 2 != 0) return false;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return true;
}

Result new_memory(size_t bytes, Fd& mount) {
  const MountOptions options = {{"mode", "0700"}, {"size", std::to_string(bytes + kRoomBytes)}};
  MountOptions unswapped = options;
  unswapped.push_back({"noswap", ""});
  // Since Linux 6.4, and for the machine's own root only.
  if (new_mount("tmpfs", unswapped, kInert, mount).ok()) return success();
  return new_mount("tmpfs", options, kInert, mount);
}

Result write_content(const Fd& directory, const std::string& bytes, const Owner& owner) {
  const Fd file(openat(directory.get(), kName, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0600));
  if (!file.valid()) return failed("openat", kName);
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t length = write(file.get(), bytes.data() + at, bytes.size() - at);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return failed("write", kName);
    at += static_cast<size_t>(length);
  }
  if (fchown(file.get(), owner.uid, owner.gid) < 0) return failed("fchown", std::to_string(owner.uid) + ":" + std::to_string(owner.gid));
  return fchmod(file.get(), owner.mode) < 0 ? failed("fchmod", kName) : success();
}

Result clone_content(const Fd& directory, Fd& tree) {
  const Fd file(openat(directory.get(), kName, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return failed("openat", kName);
  tree = Fd(sys::open_tree(file.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (!tree.valid()) return failed("open_tree", kName);
  mount_attr attributes{};
  attributes.attr_set = kInert | MOUNT_ATTR_RDONLY;
  attributes.propagation = MS_PRIVATE;
  return sys::mount_setattr(tree.get(), 0, attributes) < 0 ? failed("mount_setattr", kName) : success();
}

}  // namespace

Result mount_content(Root& root, const std::string& target, const std::string& mode, const std::string& uid, const std::string& gid,
                     const std::string& hex) {
  Owner owner{};
  std::string bytes;
  if (!parse_owner(mode, uid, gid, owner) || !decode(hex, bytes)) return failure("spec", EINVAL, target);
  Fd memory, tree;
  if (Result r = new_memory(bytes.size(), memory); !r.ok()) return r;
  // Attached for a moment, over the root: older kernels clone nothing of what is attached nowhere.
  if (sys::move_mount(memory.get(), root.top.get()) < 0) return failed("move_mount", target);
  Result made = write_content(memory, bytes, owner);
  if (made.ok()) made = clone_content(memory, tree);
  if (fchdir(memory.get()) < 0) return failed("fchdir", target);
  if (sys::umount2(".", sys::kDetach) < 0) return failed("umount2", target);
  if (chdir("/") < 0) return failed("chdir", "/");
  return made.ok() ? attach_asked(root, tree, target, Kind::file) : made;
}
