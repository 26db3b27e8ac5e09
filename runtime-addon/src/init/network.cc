#include "network.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "fd.h"
#include "namespaces.h"
#include "netlink.h"
#include "router.h"
#include "signals.h"
#include "syscalls.h"

namespace {

// Where the command finds what it is to work with; sandbox-network.ts names them in its arguments.
constexpr int kNetworkNamespace = 6, kReady = 7;

constexpr size_t kMaxWords = 300;

struct Pipe {
  Fd out, in;
};

Result open_pipe(Pipe& made) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return failed("pipe2");
  made.out = Fd(ends[0]);
  made.in = Fd(ends[1]);
  return success();
}

struct Holder {
  pid_t pid = 0;
  // The namespace that the program connects.
  Fd network;
  // The holder's end of this says what it has come to, and hears when to go on.
  Fd channel;
};

bool tell(const Fd& channel) { return write(channel.get(), "", 1) == 1; }

bool hear(const Fd& channel) {
  char byte;
  return read(channel.get(), &byte, 1) == 1;
}

// Until there is something to read, or its end. ETIMEDOUT: there was not in time (-1: in whatever time); ECANCELED: the caller has let go of the network.
Result await(const Fd& source, const Status& status, int milliseconds) {
  pollfd waiting[] = {{source.get(), POLLIN, 0}, {status.fd(), POLLIN, 0}};
  int arrived;
  while ((arrived = poll(waiting, 2, milliseconds)) < 0 && errno == EINTR) continue;
  if (arrived < 0) return failed("poll");
  if (waiting[1].revents != 0) return failure("poll", ECANCELED);
  return arrived == 0 ? failure("poll", ETIMEDOUT) : success();
}

bool hear(const Fd& channel, const Status& status) { return await(channel, status, -1).ok() && hear(channel); }

Result enter_new_network() { return unshare(CLONE_NEWNET) < 0 ? failed("unshare", "network") : success(); }

// Once the namespace we are in is connected, goes on to another one that lies behind it. False: it never was.
bool go_behind(const Spec& spec, const Status& status, const Fd& channel, Result& result) {
  const Fd outer_namespace(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!outer_namespace.valid()) return result = failed("open", "/proc/self/ns/net"), true;
  Fd outer, inner;
  if (result = open_netlink(outer); !result.ok()) return true;
  // Before there is an interface: none shall be configured by whoever answers it.
  const Result ipv6 = route_ipv6();
  if (!tell(channel) || !hear(channel)) return false;
  if (result = enter_new_network(); !result.ok()) return true;
  if (result = raise_loopback(); !result.ok()) return true;
  if (result = open_netlink(inner); !result.ok()) return true;
  bool left = false;
  result = move_behind({outer, inner, ipv6}, outer_namespace.get(), spec.blackholes, left);
  if (left) status.skipped("--routed", ipv6);
  return true;
}

// The process that stands for the namespace of the sandboxes: it is looked at through /proc, and does nothing. The namespace belongs to the user namespace of
// the sandboxes, never to one below: whoever has the id of that one's maker has every capability in it (user_namespaces(7)), granted or not.
[[noreturn]] void hold(const Spec& spec, const Status& status, const Fd& channel) {
  Result r = enter_new_network();
  // A change of credentials clears both.
  if (r.ok() && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) r = failed("prctl", "PR_SET_DUMPABLE");
  if (r.ok() && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) r = failed("prctl", "PR_SET_PDEATHSIG");
  if (!r.ok()) status.error("--network", r), _exit(1);
  if (spec.routed && !go_behind(spec, status, channel, r)) _exit(1);
  if (!r.ok()) status.error("--routed", r), _exit(1);
  if (!tell(channel)) _exit(1);
  sys::close_range(0, ~0U, 0);
  for (;;) pause();
}

// False where it has failed and said so.
bool start_holder(const Spec& spec, const Status& status, Holder& holder) {
  const auto report = [&](const Result& result) {
    if (!result.ok()) status.error("--network", result);
    return result.ok();
  };
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return report(failed("socketpair"));
  holder.channel = Fd(ends[0]);
  Fd other(ends[1]);
  holder.pid = fork();
  if (holder.pid < 0) return report(failed("fork"));
  if (holder.pid == 0) {
    holder.channel.reset();
    hold(spec, status, other);
  }
  other.reset();
  if (!hear(holder.channel, status)) return false;
  const std::string path = "/proc/" + std::to_string(holder.pid) + "/ns/net";
  holder.network = Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return holder.network.valid() || report(failed("open", path));
}

struct Place {
  int from, to;
};

// All are moved out of the way first: one may stand where another belongs.
template <size_t Count>
bool place_descriptors(Place (&places)[Count]) {
  for (Place& place : places)
    if ((place.from = fcntl(place.from, F_DUPFD, 16)) < 0) return false;
  for (const Place& place : places)
    if (dup2(place.from, place.to) < 0) return false;
  return sys::close_range(3, kNetworkNamespace - 1, 0) == 0 && sys::close_range(kReady + 1, ~0U, 0) == 0;
}

[[noreturn]] void become_program(const Spec& spec, const Holder& holder, const Fd& ready, const Fd& words) {
  std::vector<char*> arguments;
  for (const std::string& each : spec.command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  Place places[] = {{null.get(), 0},
                    {null.get(), 1},
                    {words.get(), 2},
                    {holder.network.get(), kNetworkNamespace},
                    {ready.get(), kReady}};
  if (place_descriptors(places)) execve(arguments[0], arguments.data(), environ);
  dprintf(2, "%s", strerror(errno));
  _exit(127);
}

// First process of a pid namespace of its own: with it dies the program, which may well have forked and left its parent.
[[noreturn]] void keep_program(const Spec& spec, const Holder& holder, const Fd& ready, const Fd& words) {
  prctl(PR_SET_NAME, "tsb:net");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const pid_t program = fork();
  if (program == 0) become_program(spec, holder, ready, words);
  sys::close_range(0, ~0U, 0);
  for (int status; waitpid(-1, &status, 0) > 0 || errno == EINTR;) continue;
  _exit(program < 0 ? 1 : 0);
}

// What the program wrote about its failure: the last line.
std::string last_words(const Fd& words) {
  std::string text;
  char buffer[1024];
  fcntl(words.get(), F_SETFL, O_NONBLOCK);
  for (ssize_t length; (length = read(words.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(length));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1).substr(0, kMaxWords);
}

Result await_ready(const Spec& spec, const Status& status, const Fd& ready, const Fd& words) {
  const std::string& program = spec.command[0];
  if (Result r = await(ready, status, spec.deadline_ms); !r.ok()) return failure(r.syscall, r.error, program);
  char byte;
  if (read(ready.get(), &byte, 1) == 1) return success();
  return failure("execve", EPROTO, program + ": " + last_words(words));
}

Result start_program(const Spec& spec, const Status& status, const Holder& holder, pid_t& keeper) {
  Pipe ready, words;
  if (Result r = open_pipe(ready); !r.ok()) return r;
  if (Result r = open_pipe(words); !r.ok()) return r;
  keeper = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (keeper < 0) return failed("clone");
  if (keeper == 0) keep_program(spec, holder, ready.in, words.in);
  ready.in.reset();
  words.in.reset();
  return await_ready(spec, status, ready.out, words.out);
}

// Until the caller lets go of the network, or one of the two processes that make it ends.
void keep_open(const Status& status) {
  Fd signals;
  if (!open_signals({SIGCHLD}, signals).ok()) return;
  // One that ended before its signal could be heard is seen as well.
  for (siginfo_t ended{}; waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;) {
    if (!await(signals, status, -1).ok()) return;
    signalfd_siginfo info;
    while (read(signals.get(), &info, sizeof info) == sizeof info) continue;
  }
}

void end(pid_t process) {
  if (process <= 0) return;
  kill(process, SIGKILL);
  while (waitpid(process, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace

int become_network(const Spec& spec, const Status& status) {
  prctl(PR_SET_NAME, "tsb:network");
  if (spec.join != 0)
    if (Result r = join_user_namespace(spec.join); !r.ok()) return status.error("--join", r), 1;
  Holder holder;
  pid_t keeper = 0;
  bool ready = start_holder(spec, status, holder);
  if (ready) {
    const Result r = start_program(spec, status, holder, keeper);
    ready = r.ok();
    // A caller that is gone would have us die of the signal before the two are dead.
    if (!ready && r.error != ECANCELED) status.error("--network", r);
  }
  // Where it fails, the holder says why.
  if (ready && spec.routed) ready = tell(holder.channel) && hear(holder.channel, status);
  if (ready) {
    status.started(holder.pid);
    keep_open(status);
  }
  end(keeper);
  end(holder.pid);
  return ready ? 0 : 1;
}
