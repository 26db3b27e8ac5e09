#include "worker.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"

namespace {

struct IdMap {
  pid_t pid;
  const char* file;
  const std::vector<IdRange>& ranges;
  const std::string& program;
};

Result write_file(const std::string& path, const std::string& text) {
  Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return failed("open", path);
  return write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? success() : failed("write", path);
}

Result run_program(const std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (const std::string& each : arguments) pointers.push_back(const_cast<char*>(each.c_str()));
  pointers.push_back(nullptr);
  pid_t pid;
  if (const int error = posix_spawn(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ); error != 0)
    return failure("posix_spawn", error, arguments[0]);
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return failed("waitpid", arguments[0]);
  // The program has said why on fd 2.
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? success() : failure("newidmap", EPERM, arguments[0]);
}

Result write_map(const IdMap& map) {
  const std::string pid = std::to_string(map.pid);
  if (map.program.empty()) {
    std::string text;
    for (const IdRange& range : map.ranges)
      text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " + std::to_string(range.count) + "\n";
    return write_file("/proc/" + pid + "/" + map.file, text);
  }
  std::vector<std::string> arguments = {map.program, pid};
  for (const IdRange& range : map.ranges)
    for (const uint32_t number : {range.inside, range.outside, range.count}) arguments.push_back(std::to_string(number));
  return run_program(arguments);
}

Result write_maps(const Spec& spec, pid_t pid) {
  if (spec.deny_setgroups)
    if (Result r = write_file("/proc/" + std::to_string(pid) + "/setgroups", "deny"); !r.ok()) return r;
  if (Result r = write_map({pid, "gid_map", spec.gid_map, spec.newgidmap}); !r.ok()) return r;
  return write_map({pid, "uid_map", spec.uid_map, spec.newuidmap});
}

// The maps are written from outside the namespace: by a process forked before this one leaves.
struct MapWriter {
  pid_t pid = 0;
  Fd go;
};

// In the child `writer.pid` is 0 and `writer.go` is the end to wait at.
Result fork_map_writer(MapWriter& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return failed("pipe2");
  Fd inner(ends[0]), outer(ends[1]);
  writer.pid = fork();
  if (writer.pid < 0) return failed("fork");
  writer.go = std::move(writer.pid == 0 ? inner : outer);
  return success();
}

Result become_root(bool may_set_groups) {
  if (may_set_groups && setgroups(0, nullptr) < 0) return failed("setgroups");
  if (setresgid(0, 0, 0) < 0) return failed("setresgid", "0");
  if (setresuid(0, 0, 0) < 0) return failed("setresuid", "0");
  return success();
}

// After the change of user, which clears the wish; `parent` may have died before it was uttered.
Result die_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return failed("prctl", "PR_SET_PDEATHSIG");
  return getppid() == parent ? success() : failure("getppid", ESRCH, std::to_string(parent));
}

Result execute(const Spec& spec) {
  std::vector<char*> arguments;
  for (const std::string& each : spec.command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  return failed("execve", spec.command[0]);
}

}  // namespace

int become_worker(const Spec& spec, const Status& status) {
  const auto report = [&](const char* operation, const Result& result) {
    if (!result.ok()) status.error(operation, result);
    return result.ok();
  };
  const pid_t self = getpid(), parent = getppid();
  MapWriter writer;
  if (!report("--worker", fork_map_writer(writer))) return 1;
  char byte = 0;
  if (writer.pid == 0) return read(writer.go.get(), &byte, 1) == 1 && report("--map", write_maps(spec, self)) ? 0 : 1;
  if (unshare(CLONE_NEWUSER) < 0) return report("--worker", failed("unshare")), 1;
  if (write(writer.go.get(), &byte, 1) != 1) return report("--worker", failed("write")), 1;
  int mapped;
  while (waitpid(writer.pid, &mapped, 0) < 0)
    if (errno != EINTR) return report("--worker", failed("waitpid")), 1;
  // Otherwise the writer has reported.
  if (mapped != 0) return 1;
  if (report("--worker", become_root(!spec.deny_setgroups)) && report("--worker", die_with(parent))) report("exec", execute(spec));
  return 1;
}
