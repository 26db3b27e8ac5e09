#include "capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

Result limit_bounding_set(uint64_t allowed) {
  // EINVAL marks the end of what this kernel knows.
  for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++) {
    if ((allowed >> capability & 1) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return failed("prctl", "PR_CAPBSET_DROP");
  }
  return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? failed("prctl", "PR_CAP_AMBIENT") : success();
}

Result limit_capabilities(uint64_t wanted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, data) < 0) return failed("capget");
  for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
    data[i].permitted &= static_cast<uint32_t>(wanted >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  return syscall(SYS_capset, &header, data) < 0 ? failed("capset") : success();
}
