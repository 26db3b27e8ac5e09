#include "seccomp.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>

Result install_filters(const Spec& spec) {
  for (const std::vector<sock_filter>& filter : spec.filters) {
    const sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) return failed("prctl", "PR_SET_SECCOMP");
  }
  return success();
}
