#include "mount-new.h"

#include "syscalls.h"

Result new_mount(const char* type, const MountOptions& options, unsigned attributes, Fd& mount) {
  Fd context(sys::fsopen(type));
  if (!context.valid()) return failed("fsopen", type);
  // What mount(8) and /proc/mounts show as the device.
  if (sys::fsconfig(context.get(), FSCONFIG_SET_STRING, "source", type) < 0) return failed("fsconfig", type);
  for (const auto& [key, value] : options) {
    const bool flag = value.empty();
    if (sys::fsconfig(context.get(), flag ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING, key.c_str(), flag ? nullptr : value.c_str()) < 0)
      return failed("fsconfig", key);
  }
  if (sys::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) return failed("fsconfig", type);
  mount = Fd(sys::fsmount(context.get(), attributes));
  return mount.valid() ? success() : failed("fsmount", type);
}
