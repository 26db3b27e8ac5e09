#include "namespaces.h"

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "fd.h"

Result join_user_namespace(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/user";
  Fd ns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return failed("open", path);
  if (setns(ns.get(), CLONE_NEWUSER) < 0) return failed("setns", path);
  // EPERM: a namespace with a single id keeps the groups of its maker (user_namespaces(7), "setgroups").
  if (setgroups(0, nullptr) < 0 && errno != EPERM) return failed("setgroups");
  if (setresgid(0, 0, 0) < 0) return failed("setresgid", "0");
  if (setresuid(0, 0, 0) < 0) return failed("setresuid", "0");
  return success();
}

Result join_network_namespace(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  Fd ns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return failed("open", path);
  return setns(ns.get(), CLONE_NEWNET) < 0 ? failed("setns", path) : success();
}

Result leave_mount_namespace() { return unshare(CLONE_NEWNS) < 0 ? failed("unshare") : success(); }

Result fork_into_namespaces(bool new_network, pid_t& pid) {
  unsigned long flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
  if (new_network) flags |= CLONE_NEWNET;
  pid = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  return pid < 0 ? failed("clone") : success();
}

Result set_hostname(const std::string& name) {
  return sethostname(name.c_str(), name.size()) < 0 ? failed("sethostname", name) : success();
}

Result raise_loopback() {
  Fd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return failed("socket", "lo");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (ioctl(socket_fd.get(), SIOCGIFFLAGS, &request) < 0) return failed("ioctl", "lo");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  return ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) < 0 ? failed("ioctl", "lo") : success();
}
