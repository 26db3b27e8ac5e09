#include "sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include "fd.h"
#include "resolve.h"

namespace {

Result write_parameter(const Root& root, const std::string& path, const std::string& value) {
  Fd place;
  if (Result r = open_inside(root, path, place); !r.ok()) return r;
  const Fd parameter(open(("/proc/self/fd/" + std::to_string(place.get())).c_str(), O_WRONLY | O_CLOEXEC));
  if (!parameter.valid()) return failed("open", path);
  return write(parameter.get(), value.data(), value.size()) < 0 ? failed("write", path) : success();
}

}  // namespace

Result set_sysctl(const Root& root, const std::string& path, const std::string& value) {
  if (const Result r = write_parameter(root, path, value); !r.ok()) root.status.skipped("--sysctl", r);
  return success();
}
