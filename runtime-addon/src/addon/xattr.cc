#include "xattr.h"

#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tsbuild {

namespace {

bool belongs_to_content(const char* name) {
  auto starts_with = [name](const char* prefix) { return strncmp(name, prefix, strlen(prefix)) == 0; };
  return starts_with("user.") || starts_with("trusted.") || starts_with("system.posix_acl_") || strcmp(name, "security.capability") == 0;
}

/** Calls read(buffer, capacity), which answers like getxattr(2), until its answer fits. */
template <class Read>
bool read_growing(std::string* out, Read read) {
  out->resize(256);
  for (;;) {
    ssize_t length = read(out->data(), out->size());
    if (length >= 0) {
      out->resize(static_cast<size_t>(length));
      return true;
    }
    if (errno != ERANGE) return false;
    ssize_t wanted = read(nullptr, 0);
    if (wanted < 0) return false;
    out->resize(std::max(static_cast<size_t>(wanted), out->size() * 2));
  }
}

}  // namespace

bool read_xattrs(const std::string& path, std::vector<Xattr>* found) {
  found->clear();
  char first[256];
  ssize_t length = llistxattr(path.c_str(), first, sizeof first);
  if (length == 0) return true;
  // A file system without attributes has none.
  if (length < 0 && errno == ENOTSUP) return true;
  std::string names;
  if (length > 0) {
    names.assign(first, static_cast<size_t>(length));
  } else if (errno != ERANGE || !read_growing(&names, [&](char* data, size_t size) { return llistxattr(path.c_str(), data, size); })) {
    return false;
  }
  for (size_t at = 0; at < names.size(); at += strlen(names.c_str() + at) + 1) {
    const char* name = names.c_str() + at;
    if (!belongs_to_content(name)) continue;
    Xattr xattr{name, {}};
    if (read_growing(&xattr.value, [&](char* data, size_t size) { return lgetxattr(path.c_str(), name, data, size); })) {
      found->push_back(std::move(xattr));
    } else if (errno != ENODATA && errno != EPERM && errno != EACCES && errno != ENOTSUP) {
      return false;
    }
  }
  std::sort(found->begin(), found->end(), [](const Xattr& a, const Xattr& b) { return a.name < b.name; });
  return true;
}

}  // namespace tsbuild
