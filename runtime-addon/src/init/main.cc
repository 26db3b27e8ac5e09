// tsb-init: makes one sandbox and runs one command in it, starts a worker in a new user namespace, or holds a network.
// fd 0–2 are the command's, fd 3 is the spec (spec.h), fd 4 the status (status.h), fd 5 a worker's message channel.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "monitor.h"
#include "network.h"
#include "signals.h"
#include "spec.h"
#include "status.h"
#include "syscalls.h"
#include "worker.h"

namespace {

constexpr int kSpec = 3, kStatus = 4, kMessages = 5;

Result take_descriptors() {
  if (fcntl(kSpec, F_SETFD, FD_CLOEXEC) < 0) return failed("fcntl", "fd 3");
  if (fcntl(kStatus, F_SETFD, FD_CLOEXEC) < 0) return failed("fcntl", "fd 4");
  // Whatever else was left open is nobody's business inside.
  return sys::close_range(kMessages + 1, ~0U, 0) < 0 ? failed("close_range") : success();
}

int run() {
  const Status status(kStatus);
  Spec spec;
  Result ready = take_descriptors();
  if (ready.ok()) ready = reset_signals();
  if (ready.ok()) ready = read_spec(kSpec, spec);
  close(kSpec);
  if (!ready.ok()) {
    status.error("spec", ready);
    return 1;
  }
  if (spec.worker) return become_worker(spec, status);
  close(kMessages);
  if (spec.network) return become_network(spec, status);
  return run_monitor(spec, status);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts(kVersion);
    return 0;
  }
  // Every process of a sandbox ends here; none of them has exit handlers or buffers to run.
  _exit(run());
}
