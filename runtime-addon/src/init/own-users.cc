#include "own-users.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "fd.h"

namespace {

// The kernel takes no map longer than a page.
constexpr size_t kMaxMap = 4096;

// The ids of this namespace's map, each mapped to itself.
Result read_identity(const std::string& path, std::string& map) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return failed("open", path);
  std::string text;
  char buffer[kMaxMap];
  ssize_t length;
  while ((length = read(file.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(length));
  if (length < 0) return failed("read", path);
  std::istringstream lines(text);
  for (std::string inside, outside, count; lines >> inside >> outside >> count;) map += inside + " " + inside + " " + count + "\n";
  return map.size() < kMaxMap ? success() : failure("read", EFBIG, path);
}

Result write_map(const std::string& path, const std::string& map) {
  Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return failed("open", path);
  return write(file.get(), map.data(), map.size()) == static_cast<ssize_t>(map.size()) ? success() : failed("write", path);
}

// Only from outside may all ids be mapped: by a process forked before. Its exit code is an errno.
[[noreturn]] void write_maps(const std::string& directory, const std::string& uids, const std::string& gids, int go) {
  char byte;
  if (read(go, &byte, 1) != 1) _exit(ECANCELED);
  Result r = write_map(directory + "/gid_map", gids);
  if (r.ok()) r = write_map(directory + "/uid_map", uids);
  _exit(r.ok() ? 0 : r.error);
}

Result await(pid_t writer) {
  int status;
  while (waitpid(writer, &status, 0) < 0)
    if (errno != EINTR) return failed("waitpid", "maps");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return success();
  return failure("write", WIFEXITED(status) ? WEXITSTATUS(status) : ECANCELED, "maps");
}

}  // namespace

Result enter_own_users() {
  // The /proc may be one of a pid namespace outside, where we have another number.
  char self[32] = {};
  if (readlink("/proc/self", self, sizeof self - 1) < 0) return failed("readlink", "/proc/self");
  const std::string directory = std::string("/proc/") + self;
  std::string uids, gids;
  if (Result r = read_identity(directory + "/uid_map", uids); !r.ok()) return r;
  if (Result r = read_identity(directory + "/gid_map", gids); !r.ok()) return r;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return failed("pipe2");
  Fd wait(ends[0]), go(ends[1]);
  const pid_t writer = fork();
  if (writer < 0) return failed("fork");
  if (writer == 0) {
    go.reset();
    write_maps(directory, uids, gids, wait.get());
  }
  Result entered = unshare(CLONE_NEWUSER) < 0 ? failed("unshare", "user") : success();
  // The change of credentials clears it, and the files of /proc would belong to the machine's root.
  if (entered.ok() && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0) entered = failed("prctl", "PR_SET_DUMPABLE");
  if (entered.ok() && write(go.get(), "", 1) != 1) entered = failed("write", "go");
  go.reset();
  const Result written = await(writer);
  return entered.ok() ? written : entered;
}
