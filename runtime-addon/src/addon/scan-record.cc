#include "scan-record.h"

#include <sys/sysmacros.h>

#include <cstdint>
#include <cstring>

namespace tsbuild {

namespace {

struct Header {
  uint32_t record_length;
  uint32_t path_length;
  uint32_t target_length;
  uint32_t xattr_count;
  uint32_t uid;
  uint32_t gid;
  uint32_t links;
  uint32_t major;
  uint32_t minor;
  uint32_t mode;
  uint32_t mtime_nsec;
  uint32_t ctime_nsec;
  int64_t size;
  int64_t mtime;
  int64_t ctime;
  uint64_t device;
  uint64_t inode;
};
static_assert(sizeof(Header) == 88, "scan-record.ts reads these offsets");

void append_u32(std::string* to, size_t value) {
  auto number = static_cast<uint32_t>(value);
  to->append(reinterpret_cast<const char*>(&number), sizeof number);
}

}  // namespace

void append_record(std::string* records, std::string_view path, const struct stat& status, std::string_view target,
                   const std::vector<Xattr>& xattrs) {
  Header header{};
  header.path_length = static_cast<uint32_t>(path.size());
  header.target_length = static_cast<uint32_t>(target.size());
  header.xattr_count = static_cast<uint32_t>(xattrs.size());
  header.uid = status.st_uid;
  header.gid = status.st_gid;
  header.links = static_cast<uint32_t>(status.st_nlink);
  header.major = major(status.st_rdev);
  header.minor = minor(status.st_rdev);
  header.mode = status.st_mode;
  header.mtime_nsec = static_cast<uint32_t>(status.st_mtim.tv_nsec);
  header.ctime_nsec = static_cast<uint32_t>(status.st_ctim.tv_nsec);
  header.size = status.st_size;
  header.mtime = status.st_mtim.tv_sec;
  header.ctime = status.st_ctim.tv_sec;
  header.device = status.st_dev;
  header.inode = status.st_ino;
  size_t length = sizeof header + path.size() + target.size();
  for (const Xattr& xattr : xattrs) length += 8 + xattr.name.size() + xattr.value.size();
  header.record_length = static_cast<uint32_t>(length);

  records->append(reinterpret_cast<const char*>(&header), sizeof header);
  records->append(path);
  records->append(target);
  for (const Xattr& xattr : xattrs) {
    append_u32(records, xattr.name.size());
    append_u32(records, xattr.value.size());
    records->append(xattr.name);
    records->append(xattr.value);
  }
}

}  // namespace tsbuild
