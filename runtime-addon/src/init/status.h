#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <string_view>

#include "result.h"

// The status channel: one JSON object a line, each written by one write(2), so that lines of several processes do not mix.
// A reader that is gone is not an error here: the monitor learns of it by the hang-up.
class Status {
 public:
  explicit Status(int fd) : fd_(fd) {}

  int fd() const { return fd_; }
  // {"pid":N}: the sandbox's first process, as the caller sees it.
  void started(pid_t pid) const;
  // {"created":"/path"}: a mount point that the root file system lacked.
  void created(std::string_view path) const;
  // {"skipped":{…}}: an optional operation that this machine refuses.
  void skipped(std::string_view operation, const Result& why) const;
  // {"error":{"op":…,"syscall":…,"errno":…,"path":…}}: the sandbox could not be made.
  void error(std::string_view operation, const Result& why) const;
  // {"exit":N,…} or {"signal":N,…}: the command's end, with what all its processes used.
  void ended(int wait_status, const rusage& used) const;

 private:
  void line(const std::string& text) const;
  int fd_;
};
