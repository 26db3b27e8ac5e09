#pragma once

#include <string>
#include <string_view>

#include "failure.h"
#include "../fd.h"

namespace tsbuild {

/** A file named by its parent directory's descriptor, for the *at calls. Good until the next call on the same Below. */
struct Place {
  int parent;
  const char* name;

  /** The same file as a path, for the calls that have no *at form. */
  std::string proc_path() const;
};

/**
 * A directory opened once. Paths below it are relative, without empty, "." or ".." segments ("" is the directory itself),
 * and no symlink in them is ever followed, not even one that is swapped in during the call (openat2(2)).
 * Keeps the last parent directory open, since lists come sorted. Not shared between threads.
 */
class Below {
 public:
  /** Opens the root itself, whose own path may go through symlinks. */
  Outcome open_root(const std::string& root);

  /** Paths may be longer than PATH_MAX. A new descriptor, closed on exec, or -1 and errno: ELOOP for any symlink, EINVAL for a path of another form. */
  int open(std::string_view path, int flags) const;

  /** False and errno when the parent directory cannot be opened. The last segment is not looked at. */
  bool find(std::string_view path, Place* place);

  int root_fd() const { return root_.get(); }
  /** For messages. */
  std::string shown(std::string_view path) const;
  Failure failed(const char* syscall, std::string_view path) const;

 private:
  std::string root_path_;
  Fd root_;
  Fd parent_;
  std::string parent_path_;
  std::string name_;
};

}  // namespace tsbuild
