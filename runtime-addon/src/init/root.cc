#include "root.h"

#include <sys/stat.h>

#include <ctime>
#include <utility>

#include "overlay.h"
#include "syscalls.h"

namespace {

Result open_top(Root& root, const std::string& directory) {
  root.top = Fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return root.top.valid() ? success() : failed("open", directory);
}

}  // namespace

Result take_overlay(Root& root, const std::string& upper, const std::string& work) {
  std::string place;
  if (Result r = mount_overlay({std::exchange(root.lowers, {}), upper, work}, place); !r.ok()) return r;
  return open_top(root, place);
}

Result take_directory(Root& root, const std::string& directory) {
  Fd tree(sys::open_tree(AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | sys::kAtRecursive));
  if (!tree.valid()) return failed("open_tree", directory);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NODEV;
  if (sys::mount_setattr(tree.get(), 0, attributes) < 0) return failed("mount_setattr", directory);
  Fd place(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.valid()) return failed("open", directory);
  if (sys::move_mount(tree.get(), place.get()) < 0) return failed("move_mount", directory);
  return open_top(root, directory);
}

Result seal_overlay() {
  constexpr int kAttempts = 200;
  constexpr timespec kPause{0, 10'000'000};
  const Fd context(sys::fspick(AT_FDCWD, "/"));
  if (!context.valid()) return failed("fspick", "/");
  if (sys::fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr) < 0) return failed("fsconfig", "ro");
  // The kernel closes some files of dead processes late (io_uring, descriptors on their way through sockets).
  for (int attempt = 1; sys::fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr) < 0; attempt++) {
    if (errno != EBUSY || attempt == kAttempts) return failed("fsconfig", "/");
    nanosleep(&kPause, nullptr);
  }
  return success();
}

Result enter(const Root& root) {
  if (!root.top.valid()) return failure("pivot_root", EINVAL, "no root file system");
  if (fchdir(root.top.get()) < 0) return failed("fchdir", "/");
  // The old root is stacked on top of the new one, where "." finds it (pivot_root(2), "pivot_root(\".\", \".\")").
  if (sys::pivot_root(".", ".") < 0) return failed("pivot_root", "/");
  if (sys::umount2(".", sys::kDetach) < 0) return failed("umount2", "/");
  if (chdir("/") < 0) return failed("chdir", "/");
  // Were anything of the host still mounted here, ".." would lead to it.
  struct stat top, above;
  if (fstat(root.top.get(), &top) < 0 || stat("..", &above) < 0) return failed("stat", "/..");
  return top.st_dev == above.st_dev && top.st_ino == above.st_ino ? success() : failure("pivot_root", EBUSY, "/..");
}
