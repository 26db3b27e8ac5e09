#include "attributes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "job.h"

namespace tsbuild {

namespace {

constexpr uid_t kKeepId = static_cast<uid_t>(-1);
constexpr uint32_t kMaxNanoseconds = 999999999;

/** Access time too: it is nobody's input, and must not tell when a layer was unpacked. */
void fill(const Times& mtime, timespec times[2]) {
  times[0].tv_sec = times[1].tv_sec = static_cast<time_t>(mtime.seconds);
  times[0].tv_nsec = times[1].tv_nsec = static_cast<long>(mtime.nanoseconds);
}

}  // namespace

Outcome set_attributes(const Below& root, std::string_view path, const Place& place, const Attributes& attributes, bool is_symlink) {
  if (attributes.uid || attributes.gid) {
    if (fchownat(place.parent, place.name, attributes.uid.value_or(kKeepId), attributes.gid.value_or(kKeepId), AT_SYMLINK_NOFOLLOW) != 0) {
      return root.failed("fchownat", path);
    }
  }
  for (const Attributes::View& xattr : attributes.xattrs) {
    std::string name(xattr.name);
    if (lsetxattr(place.proc_path().c_str(), name.c_str(), xattr.value.data(), xattr.value.size(), 0) != 0) {
      return root.failed("lsetxattr", path);
    }
  }
  if (attributes.mode && !is_symlink && fchmodat(place.parent, place.name, *attributes.mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return root.failed("fchmodat", path);
  }
  if (attributes.mtime) {
    timespec times[2];
    fill(*attributes.mtime, times);
    if (utimensat(place.parent, place.name, times, AT_SYMLINK_NOFOLLOW) != 0) return root.failed("utimensat", path);
  }
  return {};
}

Outcome set_attributes(const Below& root, std::string_view path, int fd, const Attributes& attributes) {
  if (attributes.uid || attributes.gid) {
    if (fchown(fd, attributes.uid.value_or(kKeepId), attributes.gid.value_or(kKeepId)) != 0) return root.failed("fchown", path);
  }
  for (const Attributes::View& xattr : attributes.xattrs) {
    std::string name(xattr.name);
    if (fsetxattr(fd, name.c_str(), xattr.value.data(), xattr.value.size(), 0) != 0) return root.failed("fsetxattr", path);
  }
  if (attributes.mode && fchmod(fd, *attributes.mode) != 0) return root.failed("fchmod", path);
  if (attributes.mtime) {
    timespec times[2];
    fill(*attributes.mtime, times);
    if (futimens(fd, times) != 0) return root.failed("futimens", path);
  }
  return {};
}

Outcome set_many(const std::string& root, MessageReader list) {
  Below below;
  if (Outcome failure = below.open_root(root)) return failure;
  while (!list.at_end()) {
    std::string_view path = list.text();
    int64_t uid = list.number_within(-1, UINT32_MAX - 1);
    int64_t gid = list.number_within(-1, UINT32_MAX - 1);
    int64_t mode = list.number_within(-1, 07777);
    bool has_time = list.number_within(0, 1) == 1;
    int64_t seconds = list.number();
    int64_t nanoseconds = list.number_within(0, kMaxNanoseconds);
    if (!list.intact()) break;
    Attributes attributes;
    if (uid >= 0) attributes.uid = static_cast<uint32_t>(uid);
    if (gid >= 0) attributes.gid = static_cast<uint32_t>(gid);
    if (mode >= 0) attributes.mode = static_cast<uint32_t>(mode);
    if (has_time) attributes.mtime = Times{seconds, static_cast<uint32_t>(nanoseconds)};
    Place place;
    if (!below.find(path, &place)) return below.failed("open", path);
    if (Outcome failure = set_attributes(below, path, place, attributes, false)) return failure;
  }
  return list.intact() ? Outcome{} : malformed_message();
}

}  // namespace tsbuild
