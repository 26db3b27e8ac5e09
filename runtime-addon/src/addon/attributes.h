#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "below.h"
#include "message.h"

namespace tsbuild {

struct Times {
  int64_t seconds;
  uint32_t nanoseconds;
};

/** The attributes that a file is given. What is absent stays as it is. */
struct Attributes {
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::optional<uint32_t> mode;
  std::optional<Times> mtime;
  struct View {
    std::string_view name;
    std::string_view value;
  };
  std::vector<View> xattrs;
};

/**
 * Sets them in the one order that loses none: owner (chown(2) clears setuid and capabilities), xattrs (user.* needs a
 * writable file), mode, times. `mode` is not set on symlinks, which have none.
 */
Outcome set_attributes(const Below& root, std::string_view path, const Place& place, const Attributes& attributes, bool is_symlink);
/** The same for an open file. */
Outcome set_attributes(const Below& root, std::string_view path, int fd, const Attributes& attributes);

/** Each item of the message: path, uid, gid, mode (-1 keeps these), has mtime (0 or 1), seconds, nanoseconds. */
Outcome set_many(const std::string& root, MessageReader list);

}  // namespace tsbuild
