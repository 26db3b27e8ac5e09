#include "command.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "capabilities.h"
#include "own-users.h"
#include "seccomp.h"
#include "signals.h"
#include "syscalls.h"

namespace {

Result open_session(int terminal) {
  if (setsid() < 0) return failed("setsid");
  if (terminal < 0) return success();
  if (ioctl(terminal, TIOCSCTTY, 0) < 0) return failed("ioctl", "TIOCSCTTY");
  for (int fd = 0; fd <= 2; fd++)
    if (dup2(terminal, fd) < 0) return failed("dup2", "terminal");
  return success();
}

Result apply_limits(const Spec& spec) {
  for (const ResourceLimit& limit : spec.limits) {
    rlimit value;
    if (getrlimit(limit.resource, &value) < 0) return failed("getrlimit", std::to_string(limit.resource));
    if (limit.hard) value.rlim_max = *limit.hard;
    value.rlim_cur = limit.hard || limit.soft < value.rlim_max ? limit.soft : value.rlim_max;
    if (setrlimit(limit.resource, &value) < 0) return failed("setrlimit", std::to_string(limit.resource));
  }
  return success();
}

// A relayed pipe belongs to us: the command's user must be able to open it again as /dev/stdout.
Result own_streams(const Spec& spec) {
  if (!spec.relay) return success();
  for (int fd = 1; fd <= 2; fd++)
    if (fchown(fd, spec.uid, spec.gid) < 0) return failed("fchown", std::to_string(spec.uid) + ":" + std::to_string(spec.gid));
  return success();
}

Result set_groups(const Spec& spec) {
  if (setgroups(spec.groups.size(), spec.groups.data()) == 0) return success();
  // A namespace with a single id forbids setgroups; nothing is lost where only the primary group was wanted.
  const bool only_primary = spec.groups.empty() || (spec.groups.size() == 1 && spec.groups[0] == spec.gid);
  return errno == EPERM && only_primary ? success() : failed("setgroups");
}

Result become_user(const Spec& spec) {
  if (Result r = limit_bounding_set(spec.capabilities); !r.ok()) return r;
  if (Result r = set_groups(spec); !r.ok()) return r;
  if (setresgid(spec.gid, spec.gid, spec.gid) < 0) return failed("setresgid", std::to_string(spec.gid));
  if (setresuid(spec.uid, spec.uid, spec.uid) < 0) return failed("setresuid", std::to_string(spec.uid));
  return limit_capabilities(spec.uid == 0 ? spec.capabilities : 0);
}

Result renounce_new_privileges(const Spec& spec) {
  if (!spec.no_new_privileges) return success();
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? failed("prctl", "PR_SET_NO_NEW_PRIVS") : success();
}

Result await_release(int release) {
  char byte;
  ssize_t length;
  do {
    length = read(release, &byte, 1);
  } while (length < 0 && errno == EINTR);
  return length == 1 ? success() : failure("read", ECANCELED, "release");
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> all;
  for (const std::string& each : strings) all.push_back(const_cast<char*>(each.c_str()));
  all.push_back(nullptr);
  return all;
}

// As execvpe(3), but a script without "#!" is an error (ENOEXEC) instead of food for /bin/sh.
Result execute(const Spec& spec) {
  const std::vector<char*> arguments = pointers(spec.command), environment = pointers(spec.environment);
  const std::string& name = spec.command[0];
  if (name.find('/') != std::string::npos) {
    execve(name.c_str(), arguments.data(), environment.data());
    return failed("execve", name);
  }
  bool denied = false;
  for (size_t at = 0; !name.empty() && at <= spec.search_path.size();) {
    const size_t end = std::min(spec.search_path.find(':', at), spec.search_path.size());
    const std::string directory = spec.search_path.substr(at, end - at);
    execve(((directory.empty() ? "." : directory) + "/" + name).c_str(), arguments.data(), environment.data());
    if (errno == EACCES) denied = true;
    else if (errno != ENOENT && errno != ENOTDIR) return failed("execve", name);
    at = end + 1;
  }
  return failure("execve", denied ? EACCES : ENOENT, name);
}

// Whoever may not enter the directory as root of the sandbox (NFS, single-id maps) may as the user.
Result enter_directory(const std::string& cwd, bool last) {
  if (chdir(cwd.c_str()) == 0) return success();
  return !last && errno == EACCES ? success() : failed("chdir", cwd);
}

}  // namespace

void become_command(const Spec& spec, const Status& status, int release, int terminal) {
  const auto report = [&](const char* operation, const Result& result) {
    if (!result.ok()) status.error(operation, result);
    return !result.ok();
  };
  umask(spec.umask);
  if (report("session", reset_signals())) return;
  if (report("session", open_session(terminal))) return;
  if (report("--limit", apply_limits(spec))) return;
  if (report("--cwd", enter_directory(spec.cwd, false))) return;
  if (report("--uid", own_streams(spec))) return;
  if (spec.own_users && report("--own-users", enter_own_users())) return;
  // This takes a capability that the command itself has not: what follows must pass the filters.
  if (report("--seccomp", load_filters(spec.filters))) return;
  if (report("--uid", become_user(spec))) return;
  if (report("--cwd", enter_directory(spec.cwd, true))) return;
  if (report("session", await_release(release))) return;
  if (report("--no-new-privileges", renounce_new_privileges(spec))) return;
  if (sys::close_range(3, ~0U, sys::kCloseOnExec) < 0 && report("session", failed("close_range"))) return;
  report("exec", execute(spec));
}
