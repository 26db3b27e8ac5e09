#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tsbuild {

struct Xattr {
  std::string name;
  std::string value;
};

/**
 * The attributes that belong to a file's content: user.*, trusted.*, POSIX ACLs and security.capability, as far as this
 * process may read them, sorted by name. Labels of the host (SELinux, IMA, …) are left out. False and errno when reading fails.
 */
bool read_xattrs(const std::string& path, std::vector<Xattr>* found);

}  // namespace tsbuild
