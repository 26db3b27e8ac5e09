#include "mapped.h"

#include "syscalls.h"

std::string Mapped::path(const std::string& given) const {
  if (!mount.valid() || given.compare(0, directory.size(), directory) != 0) return given;
  const std::string rest = given.substr(directory.size());
  return rest.empty() || rest[0] == '/' ? "/proc/self/fd/" + std::to_string(mount.get()) + rest : given;
}

Result open_mapped(const Spec& spec, Mapped& mapped) {
  if (spec.mapped.empty()) return success();
  const std::string path = "/proc/" + std::to_string(spec.join) + "/ns/user";
  const Fd ns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return failed("open", path);
  Fd tree(sys::open_tree(AT_FDCWD, spec.mapped.c_str(), OPEN_TREE_CLONE));
  if (!tree.valid()) return failed("open_tree", spec.mapped);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.propagation = MS_PRIVATE;
  attributes.userns_fd = static_cast<uint64_t>(ns.get());
  if (sys::mount_setattr(tree.get(), 0, attributes) < 0) return failed("mount_setattr", spec.mapped);
  if (chdir(spec.mapped.c_str()) < 0) return failed("chdir", spec.mapped);
  mapped.directory = spec.mapped;
  mapped.mount = std::move(tree);
  return success();
}

Result attach_mapped(const Mapped& mapped) {
  if (!mapped.mount.valid()) return success();
  // By way of the working directory, which unshare(2) has taken along into this namespace: the directories above may be closed to us.
  if (sys::move_mount(mapped.mount.get(), AT_FDCWD) < 0) return failed("move_mount", mapped.directory);
  return chdir("/") < 0 ? failed("chdir", "/") : success();
}
