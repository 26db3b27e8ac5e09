#include "devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <climits>

#include "mount-new.h"
#include "mounts.h"
#include "spec.h"
#include "syscalls.h"
#include "words.h"

namespace {

struct Device {
  // May have a directory: "net/tun".
  std::string name;
  mode_t kind;
  unsigned major, minor;
};

// Documentation/admin-guide/devices.txt
const Device kDevices[] = {{"null", S_IFCHR, 1, 3},   {"zero", S_IFCHR, 1, 5},    {"full", S_IFCHR, 1, 7},
                           {"random", S_IFCHR, 1, 8}, {"urandom", S_IFCHR, 1, 9}, {"tty", S_IFCHR, 5, 0}};

constexpr const char* kLinks[][2] = {
    {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
    {"core", "/proc/kcore"},
};

// A node of our own, which the command may chmod and chown as it likes; where mknod(2) is refused, the host's.
Result open_node(int nodes, const Device& device, Fd& node) {
  const std::string host = "/dev/" + device.name, own_name = std::to_string(device.major) + ":" + std::to_string(device.minor);
  const dev_t number = makedev(device.major, device.minor);
  const bool own = mknodat(nodes, own_name.c_str(), device.kind | 0666, number) == 0;
  if (!own && errno != EPERM) return failed("mknodat", host);
  node = Fd(sys::open_tree(own ? nodes : AT_FDCWD, own ? own_name.c_str() : host.c_str(), OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW));
  if (!node.valid()) return failed("open_tree", host);
  struct stat status;
  if (fstat(node.get(), &status) < 0) return failed("fstat", host);
  // The host's node can be used, but not changed.
  mount_attr fixed{};
  fixed.attr_set = MOUNT_ATTR_RDONLY;
  if (!own && sys::mount_setattr(node.get(), 0, fixed) < 0) return failed("mount_setattr", host);
  // A host whose /dev/null became a file must not be shared with the sandbox.
  return (status.st_mode & S_IFMT) == device.kind && status.st_rdev == number ? success() : failure("fstat", ENODEV, host);
}

Result place_node(int dev, const Device& device, const Fd& node) {
  const size_t slash = device.name.find('/');
  if (slash != std::string::npos && mkdirat(dev, device.name.substr(0, slash).c_str(), 0755) < 0 && errno != EEXIST)
    return failed("mkdirat", device.name);
  Fd place(openat(dev, device.name.c_str(), O_CREAT | O_EXCL | O_CLOEXEC | O_RDONLY, 0666));
  if (!place.valid()) return failed("openat", device.name);
  return sys::move_mount(node.get(), place.get()) < 0 ? failed("move_mount", device.name) : success();
}

// "name:b:major:minor"
bool parse_device(const std::string& text, Device& device) {
  const std::vector<std::string> parts = words(text, ':');
  uint64_t major, minor;
  if (parts.size() != 4 || !parse_number(parts[2], UINT_MAX, major) || !parse_number(parts[3], UINT_MAX, minor)) return false;
  device = {parts[0], parts[1] == "b" ? mode_t{S_IFBLK} : mode_t{S_IFCHR}, static_cast<unsigned>(major), static_cast<unsigned>(minor)};
  return true;
}

// The nodes lie on a file system that allows them, of which nothing but the nodes stays in reach: on /dev itself, as everywhere
// else, a node that the command makes cannot be opened.
Result bind_nodes(Root& root, int dev, const std::string& more) {
  Fd nodes;
  if (Result r = new_mount("tmpfs", {{"size", "64k"}, {"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, nodes); !r.ok()) return r;
  if (Result r = attach(root, nodes, "/dev/shm", Kind::directory); !r.ok()) return r;
  for (const Device& device : kDevices) {
    Fd node;
    if (Result r = open_node(nodes.get(), device, node); !r.ok()) return r;
    if (Result r = place_node(dev, device, node); !r.ok()) return r;
  }
  for (const std::string& each : words(more == "-" ? "" : more, ' ')) {
    Device device;
    if (!parse_device(each, device)) return failure("spec", EINVAL, each);
    Fd node;
    // What can neither be made nor is there is left out.
    if (const Result r = open_node(nodes.get(), device, node); !r.ok()) continue;
    if (Result r = place_node(dev, device, node); !r.ok()) return r;
  }
  const std::string path = "/proc/self/fd/" + std::to_string(nodes.get());
  return sys::umount2(path.c_str(), sys::kDetach) < 0 ? failed("umount2", "/dev/shm") : success();
}

Result mount_inside(Root& root, const char* type, const MountOptions& options, const std::string& target) {
  Fd mount;
  // Terminals are device files, and devpts makes no others.
  const unsigned device = std::string(type) == "devpts" ? 0 : MOUNT_ATTR_NODEV;
  if (Result r = new_mount(type, options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | device, mount); !r.ok()) return r;
  return attach(root, mount, target, Kind::directory);
}

}  // namespace

Result replace_host_null() {
  for (int fd = 0; fd <= 2; fd++) {
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) continue;
    const Fd own(open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (!own.valid()) return failed("open", "/dev/null");
    if (dup2(own.get(), fd) < 0) return failed("dup2", "/dev/null");
  }
  return success();
}

Result make_devices(Root& root, const DevicesOptions& options) {
  const unsigned nodes = options.more == "-" ? MOUNT_ATTR_NODEV : 0;
  Fd dev;
  if (Result r = new_mount("tmpfs", {{"size", "65536k"}, {"mode", "0755"}}, MOUNT_ATTR_NOSUID | nodes, dev); !r.ok()) return r;
  if (Result r = attach_plain(root, dev, "/dev", Kind::directory); !r.ok()) return r;
  if (Result r = bind_nodes(root, dev.get(), options.more); !r.ok()) return r;
  for (const auto& [name, target] : kLinks)
    if (symlinkat(target, dev.get(), name) < 0) return failed("symlinkat", name);
  MountOptions pts = {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}};
  if (options.terminal_group != "-") pts.push_back({"gid", options.terminal_group});
  if (Result r = mount_inside(root, "devpts", pts, "/dev/pts"); !r.ok()) return r;
  if (Result r = mount_inside(root, "tmpfs", {{"mode", "1777"}, {"size", options.shm_size}}, "/dev/shm"); !r.ok()) return r;
  return mount_inside(root, "mqueue", {}, "/dev/mqueue");
}
