#include "operations.h"

#include <unordered_map>

#include "content.h"
#include "devices.h"
#include "mounts.h"
#include "namespaces.h"
#include "sysctl.h"

namespace {

using Arguments = const std::vector<std::string>&;

Result lower(Root& root, Arguments a) {
  root.lowers.push_back(root.mapped.path(a[0]));
  return success();
}

const std::unordered_map<std::string, OperationKind>& kinds() {
  static const std::unordered_map<std::string, OperationKind> table = {
      // directory: one more lower, below those named before
      {"--lower", {1, lower}},
      // upper, work: the root
      {"--overlay", {2, [](Root& r, Arguments a) { return take_overlay(r, r.mapped.path(a[0]), r.mapped.path(a[1])); }}},
      // directory: the root, instead of an overlay
      {"--directory", {1, [](Root& r, Arguments a) { return take_directory(r, r.mapped.path(a[0])); }}},
      // bytes of /dev/shm, group of terminals (or "-"), more devices as "name:b:major:minor net/name:c:major:minor" ("-": none can be used)
      {"--dev", {3, [](Root& r, Arguments a) { return make_devices(r, {a[0], a[1], a[2]}); }}},
      // target
      {"--proc", {1, [](Root& r, Arguments a) { return mount_proc(r, a[0]); }}},
      {"--outer-proc", {1, [](Root& r, Arguments a) { return bind_outer_proc(r, a[0]); }}},
      // target, "read-only" or "-"
      {"--sysfs", {2, [](Root& r, Arguments a) { return mount_sysfs(r, a[0], a[1] == "read-only"); }}},
      {"--cgroup2", {1, [](Root& r, Arguments a) { return mount_cgroup2(r, a[0]); }}},
      // target, hierarchies as "directory=options directory=options"
      {"--cgroup1", {2, [](Root& r, Arguments a) { return mount_cgroup1(r, a[0], a[1]); }}},
      // source, target, words of "read-only", "recursive" or "-"
      {"--bind", {3, [](Root& r, Arguments a) { return bind(r, r.mapped.path(a[0]), a[1], a[2]); }}},
      // upper and work (or "-": read-only), source in the overlay, target: a mount of the lowers named since the last overlay
      {"--bind-overlay", {4, [](Root& r, Arguments a) { return bind_overlay(r, r.mapped.path(a[0]), r.mapped.path(a[1]), a[2], a[3]); }}},
      // target, bytes (or "-"), octal mode, words of "read-only", "noexec", "uid=N", "gid=N" or "-"
      {"--tmpfs", {4, [](Root& r, Arguments a) { return bind_tmpfs(r, a[0], a[1], a[2], a[3]); }}},
      // target, octal mode, user, group, content in hexadecimal: a file of memory
      {"--content", {5, [](Root& r, Arguments a) { return mount_content(r, a[0], a[1], a[2], a[3], a[4]); }}},
      // target, octal mode, content
      {"--file", {3, [](Root& r, Arguments a) { return write_file(r, a[0], a[1], a[2]); }}},
      // path: covered with nothing; left alone where it does not exist
      {"--mask", {1, [](Root& r, Arguments a) { return mask(r, a[0]); }}},
      {"--read-only", {1, [](Root& r, Arguments a) { return make_read_only(r, a[0]); }}},
      // the root's own file system, without what is mounted on it
      {"--read-only-root", {0, [](Root& r, Arguments) { return make_root_read_only(r); }}},
      // path below /proc/sys, value
      {"--sysctl", {2, [](Root& r, Arguments a) { return set_sysctl(r, a[0], a[1]); }}},
      {"--hostname", {1, [](Root&, Arguments a) { return set_hostname(a[0]); }}},
      {"--loopback", {0, [](Root&, Arguments) { return raise_loopback(); }}},
  };
  return table;
}

}  // namespace

const OperationKind* find_operation(const std::string& name) {
  const auto found = kinds().find(name);
  return found == kinds().end() ? nullptr : &found->second;
}
