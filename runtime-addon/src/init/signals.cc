#include "signals.h"

#include <signal.h>
#include <sys/signalfd.h>

Result reset_signals() {
  for (int number = 1; number < NSIG; number++) {
    if (number == SIGKILL || number == SIGSTOP) continue;
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    // EINVAL: the two that the C library keeps for itself.
    if (sigaction(number, &action, nullptr) < 0 && errno != EINVAL) return failed("sigaction");
  }
  sigset_t none;
  sigemptyset(&none);
  return sigprocmask(SIG_SETMASK, &none, nullptr) < 0 ? failed("sigprocmask") : success();
}

Result open_signals(std::initializer_list<int> signals, Fd& fd) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) sigaddset(&set, number);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) < 0) return failed("sigprocmask");
  fd = Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  return fd.valid() ? success() : failed("signalfd");
}
