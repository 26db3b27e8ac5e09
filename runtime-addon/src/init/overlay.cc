#include "overlay.h"

#include <sys/stat.h>

#include "mount-new.h"
#include "resolve.h"
#include "syscalls.h"

namespace {

constexpr const char* kOptions = ",userxattr,index=off,metacopy=off,redirect_dir=nofollow,xino=off";

// mount(2) takes one page of options: 500 long paths do not fit, 500 short symlinks do. They also need no escaping.
Result link_names(const Overlay& overlay, Fd& directory, std::string& options) {
  if (Result r = new_mount("tmpfs", {{"size", "1m"}, {"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, directory); !r.ok()) return r;
  options = "lowerdir=";
  for (size_t i = 0; i < overlay.lowers.size(); i++) {
    const std::string name = std::to_string(i);
    if (symlinkat(overlay.lowers[i].c_str(), directory.get(), name.c_str()) < 0) return failed("symlinkat", overlay.lowers[i]);
    options += (i == 0 ? "" : ":") + name;
  }
  options += kOptions;
  if (overlay.upper.empty()) return success();
  if (symlinkat(overlay.upper.c_str(), directory.get(), "u") < 0) return failed("symlinkat", overlay.upper);
  if (symlinkat(overlay.work.c_str(), directory.get(), "w") < 0) return failed("symlinkat", overlay.work);
  options += ",upperdir=u,workdir=w,volatile";
  return success();
}

// The kernel says only ENOENT for the whole mount: name the directory.
Result check_directories(const Overlay& overlay) {
  for (const std::string& lower : overlay.lowers)
    if (access(lower.c_str(), F_OK) < 0) return failed("access", lower);
  if (overlay.upper.empty()) return success();
  if (access(overlay.upper.c_str(), F_OK) < 0) return failed("access", overlay.upper);
  return access(overlay.work.c_str(), F_OK) < 0 ? failed("access", overlay.work) : success();
}

// Clones what `source` names in the directory `place`.
Result clone_inside(const std::string& place, const std::string& source, Fd& mount, bool& directory) {
  const Fd top(open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.valid()) return failed("open", place);
  Fd found;
  if (Result r = open_confined(top.get(), source, found); !r.ok()) return r;
  struct stat status;
  if (fstat(found.get(), &status) < 0) return failed("fstat", source);
  directory = S_ISDIR(status.st_mode);
  mount = Fd(sys::open_tree(found.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  return mount.valid() ? success() : failed("open_tree", source);
}

}  // namespace

Result mount_overlay(const Overlay& overlay, std::string& place) {
  if (overlay.lowers.empty()) return failure("mount", EINVAL, "no lower directory");
  Fd names;
  std::string options;
  if (Result r = link_names(overlay, names, options); !r.ok()) return r;
  if (fchdir(names.get()) < 0) return failed("fchdir", "overlay");
  place = overlay.upper.empty() ? overlay.lowers[0] : overlay.upper;
  const unsigned long flags = MS_NODEV | (overlay.upper.empty() ? MS_RDONLY : 0);
  if (sys::mount("overlay", place.c_str(), "overlay", flags, options.c_str()) < 0) {
    const Result why = failed("mount", place);
    if (Result r = check_directories(overlay); !r.ok()) return r;
    return why;
  }
  return chdir("/") < 0 ? failed("chdir", "/") : success();
}

Result open_overlay(const Overlay& overlay, const std::string& source, Fd& mount, bool& directory) {
  std::string place;
  if (Result r = mount_overlay(overlay, place); !r.ok()) return r;
  if (Result r = clone_inside(place, source, mount, directory); !r.ok()) return r;
  return sys::umount2(place.c_str(), sys::kDetach) < 0 ? failed("umount2", place) : success();
}
