#include "root.h"

#include <ctime>

#include "mount-new.h"
#include "syscalls.h"

namespace {

constexpr const char* kOverlayOptions = ",userxattr,index=off,metacopy=off,redirect_dir=nofollow,xino=off,volatile";

// mount(2) takes one page of options: 500 long paths do not fit, 500 short symlinks do. They also need no escaping.
Result link_names(const Root& root, const std::string& upper, const std::string& work, Fd& directory, std::string& options) {
  if (Result r = new_mount("tmpfs", {{"size", "1m"}, {"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, directory); !r.ok()) return r;
  options = "lowerdir=";
  for (size_t i = 0; i < root.lowers.size(); i++) {
    const std::string name = std::to_string(i);
    if (symlinkat(root.lowers[i].c_str(), directory.get(), name.c_str()) < 0) return failed("symlinkat", root.lowers[i]);
    options += (i == 0 ? "" : ":") + name;
  }
  if (symlinkat(upper.c_str(), directory.get(), "u") < 0) return failed("symlinkat", upper);
  if (symlinkat(work.c_str(), directory.get(), "w") < 0) return failed("symlinkat", work);
  options += std::string(",upperdir=u,workdir=w") + kOverlayOptions;
  return success();
}

Result open_top(Root& root, const std::string& directory) {
  root.top = Fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  return root.top.valid() ? success() : failed("open", directory);
}

// The kernel says only ENOENT for the whole mount: name the directory.
Result check_directories(const Root& root, const std::string& upper, const std::string& work) {
  for (const std::string& lower : root.lowers)
    if (access(lower.c_str(), F_OK) < 0) return failed("access", lower);
  if (access(upper.c_str(), F_OK) < 0) return failed("access", upper);
  if (access(work.c_str(), F_OK) < 0) return failed("access", work);
  return success();
}

}  // namespace

Result mount_overlay(Root& root, const std::string& upper, const std::string& work) {
  Fd names;
  std::string options;
  if (Result r = link_names(root, upper, work, names, options); !r.ok()) return r;
  if (fchdir(names.get()) < 0) return failed("fchdir", "overlay");
  if (sys::mount("overlay", upper.c_str(), "overlay", MS_NODEV, options.c_str()) < 0) {
    const Result why = failed("mount", upper);
    if (Result r = check_directories(root, upper, work); !r.ok()) return r;
    return why;
  }
  if (chdir("/") < 0) return failed("chdir", "/");
  return open_top(root, upper);
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
  return success();
}
