#include "init.h"

#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capabilities.h"
#include "command.h"
#include "devices.h"
#include "operations.h"
#include "out-of-memory.h"
#include "scope.h"
#include "signals.h"
#include "syscalls.h"
#include "terminal.h"

namespace {

constexpr char kEndOfInput = 4;  // VEOF

// The caller's session keyring would otherwise be readable inside.
Result leave_keyring() {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0) return success();
  // No keyrings in this kernel, or an outer filter that holds for the command too.
  return errno == ENOSYS || errno == EPERM ? success() : failed("keyctl");
}

bool make_root(const Spec& spec, const Status& status, const Mapped& mapped) {
  const auto report = [&](const std::string& operation, const Result& result) {
    if (!result.ok()) status.error(operation, result);
    return result.ok();
  };
  Root root{status, mapped, {}, {}};
  if (sys::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) return report("namespaces", failed("mount", "/"));
  if (!report("--mapped", attach_mapped(mapped))) return false;
  for (const Operation& operation : spec.operations)
    if (!report(operation.name, find_operation(operation.name)->run(root, operation.arguments))) return false;
  return report("root", enter(root)) && report("--dev", replace_host_null()) && report("keyring", leave_keyring());
}

// Keeps nothing that the command has not, and lets nobody inside look at this process.
Result lower_privileges(const Spec& spec) {
  if (Result r = load_filters(spec.filters); !r.ok()) return r;
  if (Result r = limit_bounding_set(spec.capabilities); !r.ok()) return r;
  if (Result r = limit_capabilities(spec.capabilities); !r.ok()) return r;
  return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? failed("prctl", "PR_SET_DUMPABLE") : success();
}

struct Watch {
  const Fd& monitor;
  const Fd& signals;
  const Fd& master;
  pid_t command;
};

// False once the command has ended, with its wait status.
bool reap(pid_t command, int& wait_status) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != command) continue;
    wait_status = status;
    return false;
  }
  return true;
}

// False when the monitor is gone.
bool forward_signals(const Watch& watch) {
  unsigned char numbers[16];
  const ssize_t length = read(watch.monitor.get(), numbers, sizeof numbers);
  if (length <= 0) return length < 0 && errno == EINTR;
  for (ssize_t i = 0; i < length; i++) kill(watch.command, numbers[i]);
  return true;
}

bool take_signals(const Watch& watch, int& wait_status) {
  signalfd_siginfo info;
  while (read(watch.signals.get(), &info, sizeof info) == sizeof info)
    if (info.ssi_signo == SIGWINCH) copy_window_size(watch.master.get());
  return reap(watch.command, wait_status);
}

// What was written before the end is still to be shown; what its left-over processes may add is not waited for.
void drain(int master) {
  for (pollfd ready{master, POLLIN, 0}; poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0;)
    if (!pump(master, 1)) return;
}

// True with the command's wait status once it has ended; false when the monitor is gone.
bool watch_command(const Watch& watch, int& wait_status) {
  pollfd ready[4] = {{watch.signals.get(), POLLIN, 0}, {watch.monitor.get(), POLLIN, 0}, {watch.master.get(), POLLIN, 0}, {-1, POLLIN, 0}};
  if (watch.master.valid()) ready[3].fd = 0;
  for (;;) {
    if (poll(ready, 4, -1) < 0 && errno != EINTR) return false;
    if (ready[2].revents != 0 && !pump(watch.master.get(), 1)) ready[2].fd = -1;
    if (ready[3].revents != 0 && !pump(0, watch.master.get())) {
      ready[3].fd = -1;
      // Typed by a person, the end of the input is a character.
      if (write(watch.master.get(), &kEndOfInput, 1) < 0) ready[2].fd = -1;
    }
    if (ready[1].revents != 0 && !forward_signals(watch)) return false;
    if (ready[0].revents != 0 && !take_signals(watch, wait_status)) break;
  }
  if (watch.master.valid()) drain(watch.master.get());
  return true;
}

struct Started {
  Fd signals;
  Terminal terminal;
  Fd release;
  pid_t pid = 0;
  // In the command's process only: the other end of `release`.
  Fd await;
};

Result start(const Spec& spec, Started& started) {
  if (spec.terminal)
    if (Result r = open_terminal(spec.uid, started.terminal); !r.ok()) return r;
  if (Result r = open_signals({SIGCHLD, SIGWINCH}, started.signals); !r.ok()) return r;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return failed("pipe2");
  started.await = Fd(ends[0]);
  started.release = Fd(ends[1]);
  started.pid = fork();
  if (started.pid < 0) return failed("fork");
  (started.pid == 0 ? started.release : started.await).reset();
  return success();
}

}  // namespace

int run_init(const Spec& spec, const Status& status, const Fd& monitor, Mapped& mapped) {
  prctl(PR_SET_NAME, "tsb:init");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  umask(0);
  const Fd score = open_own_score();
  if (!make_root(spec, status, mapped)) return 1;
  if (spec.scope) scope_abstract_sockets(status);
  mapped.mount.reset();
  Started started;
  if (Result r = start(spec, started); !r.ok()) return status.error("session", r), 1;
  if (started.pid == 0) {
    become_command(spec, status, started.await.get(), started.terminal.slave.valid() ? started.terminal.slave.get() : -1);
    return 1;
  }
  started.terminal.slave.reset();
  // Not before the fork: the command is to be as any other.
  be_killed_last(score);
  if (Result r = lower_privileges(spec); !r.ok()) return status.error("privileges", r), 1;
  if (write(started.release.get(), "", 1) != 1) return status.error("session", failed("write", "release")), 1;
  int wait_status = 0;
  if (!watch_command({monitor, started.signals, started.terminal.master, started.pid}, wait_status)) return 1;
  return write(monitor.get(), &wait_status, sizeof wait_status) == sizeof wait_status ? 0 : 1;
}
