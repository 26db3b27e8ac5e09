#include "monitor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "init.h"
#include "namespaces.h"
#include "out-of-memory.h"
#include "root.h"
#include "terminal.h"

namespace {

// One output stream: from the command's pipe to the caller's socket.
struct Relay {
  Fd pipe;
  int socket = -1;
  // The socket is full: wait for that instead of for input.
  bool full = false;

  pollfd wanted() const {
    if (!pipe.valid()) return {-1, 0, 0};
    return full ? pollfd{socket, POLLOUT, 0} : pollfd{pipe.get(), POLLIN, 0};
  }

  void move() {
    const ssize_t length = splice(pipe.get(), nullptr, socket, nullptr, 1 << 20, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    full = length < 0 && errno == EAGAIN && !full;
    // The end, or a caller that reads no more: then the command is to get SIGPIPE.
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) pipe.reset();
  }
};

struct Sandbox {
  pid_t init = 0;
  Fd channel;
  Relay relays[2];
};

Result open_relay(Relay& relay, int socket, Fd& inner) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return failed("pipe2");
  relay.pipe = Fd(ends[0]);
  relay.socket = socket;
  inner = Fd(ends[1]);
  return fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK) < 0 ? failed("fcntl") : success();
}

// True in the sandbox's first process, with the sockets replaced by the pipes and the channel to the monitor.
Result launch(const Spec& spec, Sandbox& sandbox, Fd& init_channel) {
  Fd inner[2];
  for (int i = 0; spec.relay && i < 2; i++)
    if (Result r = open_relay(sandbox.relays[i], i + 1, inner[i]); !r.ok()) return r;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return failed("socketpair");
  sandbox.channel = Fd(ends[0]);
  init_channel = Fd(ends[1]);
  // Ours too: the end of the sandbox is the time to seal its root. pivot_root(2) moves us into that with the first process.
  if (Result r = leave_mount_namespace(); !r.ok()) return r;
  if (Result r = fork_into_namespaces(spec.new_network, sandbox.init); !r.ok()) return r;
  if (sandbox.init != 0) {
    init_channel.reset();
    return success();
  }
  sandbox.channel.reset();
  for (int i = 0; spec.relay && i < 2; i++) {
    sandbox.relays[i].pipe.reset();
    if (dup2(inner[i].get(), i + 1) < 0) return failed("dup2");
  }
  return success();
}

// False when the caller is gone or wants the end.
bool obey(const Status& status, const Sandbox& sandbox) {
  unsigned char bytes[16];
  const ssize_t length = read(status.fd(), bytes, sizeof bytes);
  if (length <= 0) return length < 0 && errno == EINTR;
  for (ssize_t i = 0; i < length; i++)
    if (bytes[i] == 0) return false;
  return write(sandbox.channel.get(), bytes, static_cast<size_t>(length)) == length;
}

// Until the sandbox's first process lets go of the channel: it ends. True with the command's wait status; `ran`: it came from there.
bool attend(const Status& status, Sandbox& sandbox, int& wait_status, bool& ran) {
  for (;;) {
    pollfd ready[4] = {{sandbox.channel.get(), POLLIN, 0}, {status.fd(), POLLIN, 0}, sandbox.relays[0].wanted(), sandbox.relays[1].wanted()};
    if (poll(ready, 4, -1) < 0) continue;
    for (int i = 0; i < 2; i++)
      if (ready[i + 2].revents != 0) sandbox.relays[i].move();
    if (ready[0].revents != 0) return ran = read(sandbox.channel.get(), &wait_status, sizeof wait_status) == sizeof wait_status;
    if (ready[1].revents != 0 && !obey(status, sandbox)) {
      kill(sandbox.init, SIGKILL);
      wait_status = SIGKILL;
      return true;
    }
  }
}

// All writers are dead: what they wrote goes out, unless the caller is gone.
void drain(const Status& status, Sandbox& sandbox) {
  while (sandbox.relays[0].pipe.valid() || sandbox.relays[1].pipe.valid()) {
    pollfd ready[3] = {sandbox.relays[0].wanted(), sandbox.relays[1].wanted(), {status.fd(), 0, 0}};
    if (poll(ready, 3, -1) < 0) continue;
    for (int i = 0; i < 2; i++)
      if (ready[i].revents != 0) sandbox.relays[i].move();
    if (ready[2].revents != 0) return;
  }
}

bool has_overlay(const Spec& spec) {
  return std::any_of(spec.operations.begin(), spec.operations.end(), [](const Operation& each) { return each.name == "--overlay"; });
}

}  // namespace

int run_monitor(const Spec& spec, const Status& status) {
  prctl(PR_SET_NAME, "tsb:map");
  // Ctrl-C at the caller's terminal is the caller's to judge. With a terminal of its own the command gets it as a character,
  // and only a member of the terminal's session may set it raw and learn of its new size.
  if (!spec.terminal && setsid() < 0 && errno != EPERM) return status.error("session", failed("setsid")), 1;
  Mapped mapped;
  if (Result r = open_mapped(spec, mapped); !r.ok()) return status.error("--mapped", r), 1;
  if (spec.join != 0)
    if (Result r = join_user_namespace(spec.join); !r.ok()) return status.error("--join", r), 1;
  if (spec.join_network != 0)
    if (Result r = join_network_namespace(spec.join_network); !r.ok()) return status.error("--join-network", r), 1;
  // Once there is the first process, the root may be the sandbox's.
  const Fd score = open_own_score();
  Sandbox sandbox;
  Fd init_channel;
  if (Result r = launch(spec, sandbox, init_channel); !r.ok()) return status.error("namespaces", r), 1;
  if (sandbox.init == 0) return run_init(spec, status, init_channel, mapped);
  mapped.mount.reset();
  be_killed_last(score);

  signal(SIGPIPE, SIG_IGN);
  // With a terminal this process stays in the caller's foreground group. Where the terminal is not raw, as without standard input, the
  // keys that make signals are the caller's to pass on: dying of one here would take the sandbox along.
  for (const int key : {SIGINT, SIGQUIT, SIGTSTP})
    if (spec.terminal) signal(key, SIG_IGN);
  status.started(sandbox.init);
  int wait_status = 0;
  rusage used{};
  {
    const RawInput raw(spec.terminal);
    int init_status = 0;
    bool ran = false;
    const bool known = attend(status, sandbox, wait_status, ran);
    // Returns once the whole pid namespace is dead (pid_namespaces(7)).
    while (wait4(sandbox.init, &init_status, 0, &used) < 0 && errno == EINTR) continue;
    drain(status, sandbox);
    if (!known && !WIFSIGNALED(init_status)) return 1;
    if (!known) wait_status = init_status;
    // Only then "/" surely is the sandbox's root.
    if (ran && has_overlay(spec))
      if (const Result r = seal_overlay(); !r.ok()) status.skipped("seal", r);
  }
  status.ended(wait_status, used);
  return 0;
}
