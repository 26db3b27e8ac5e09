#pragma once

#include <string>

#include "resolve.h"
#include "result.h"
#include "root.h"

// Puts an unattached mount on a path inside the root, which is made where it is missing.
Result attach(Root& root, const Fd& mount, const std::string& target, Kind kind);

// The same for the kernel's own file systems: never behind a symlink of the image.
Result attach_plain(Root& root, const Fd& mount, const std::string& target, Kind kind);

// Mounts that the caller asks for. EBUSY (fstatfs) where symlinks of the image lead the target to the root itself, or into /proc, /sys or
// /dev as a whole: those are the sandbox's own.
//
Result attach_asked(Root& root, const Fd& mount, const std::string& target, Kind kind);

// Binds a file or directory of the host. Never with usable device files; never propagating to or from the host.
Result bind(Root& root, const std::string& source, const std::string& target, const std::string& flags);
// Binds what `source` names in an overlay of root.lowers; `upper` and `work` are "-" where it is read-only.
Result bind_overlay(Root& root, const std::string& upper, const std::string& work, const std::string& source, const std::string& target);
Result bind_tmpfs(Root& root, const std::string& target, const std::string& size, const std::string& mode, const std::string& flags);

Result mount_proc(Root& root, const std::string& target);
// The caller's own, with whatever is mounted in it: where parts of that are hidden, the kernel mounts no new one (EPERM).
Result bind_outer_proc(Root& root, const std::string& target);
// A new sysfs, or the host's where the network namespace is not ours; read-only.
Result mount_sysfs(Root& root, const std::string& target, bool read_only);
// The sandbox's own control groups, read-only. Where the kernel refuses, that is reported as skipped.
Result mount_cgroup2(Root& root, const std::string& target);
Result mount_cgroup1(Root& root, const std::string& target, const std::string& hierarchies);
// Makes a small file, on a file system that was mounted before (not in the root's own).
Result write_file(Root& root, const std::string& target, const std::string& mode, const std::string& content);
Result mask(Root& root, const std::string& path);
Result make_read_only(Root& root, const std::string& path);
Result make_root_read_only(Root& root);
