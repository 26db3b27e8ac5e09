#include "out-of-memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <string_view>

namespace {

// proc_pid_oom_score_adj(5): one less would be "never", also where nothing else is left to kill.
constexpr std::string_view kLast = "-999";

}  // namespace

Fd open_own_score() { return Fd(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)); }

void be_killed_last(const Fd& score) {
  if (!score.valid()) return;
  // Refused to those without the right: they are as large as they are.
  if (write(score.get(), kLast.data(), kLast.size()) < 0) return;
}
