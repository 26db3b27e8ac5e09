#pragma once

// System calls for which the C library has no wrapper, or has one only in its newest versions.
// linux/mount.h and sys/mount.h cannot be included together with every libc, so mount(2) and umount2(2) are here too.

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <initializer_list>

#ifndef OPEN_TREE_CLOEXEC
#error "the kernel headers are older than Linux 5.2"
#endif

namespace sys {

constexpr int kDetach = 2;                // MNT_DETACH
constexpr unsigned kCloseOnExec = 4;      // CLOSE_RANGE_CLOEXEC
constexpr unsigned kAtRecursive = 0x8000; // AT_RECURSIVE

inline int mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data) {
  return static_cast<int>(syscall(SYS_mount, source, target, type, flags, data));
}
inline int umount2(const char* target, int flags) { return static_cast<int>(syscall(SYS_umount2, target, flags)); }
inline int pivot_root(const char* root, const char* old) { return static_cast<int>(syscall(SYS_pivot_root, root, old)); }
inline int fsopen(const char* type) { return static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }
inline int fspick(int at, const char* path) { return static_cast<int>(syscall(SYS_fspick, at, path, FSPICK_CLOEXEC)); }
inline int fsconfig(int context, unsigned command, const char* key, const char* value) {
  return static_cast<int>(syscall(SYS_fsconfig, context, command, key, value, 0));
}
inline int fsmount(int context, unsigned attributes) { return static_cast<int>(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes)); }
inline int open_tree(int at, const char* path, unsigned flags) {
  return static_cast<int>(syscall(SYS_open_tree, at, path, OPEN_TREE_CLOEXEC | flags));
}
inline int move_mount(int mount, int target) {
  return static_cast<int>(syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}
inline int mount_setattr(int mount, unsigned flags, mount_attr attributes) {
  return static_cast<int>(syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | flags, &attributes, sizeof attributes));
}
inline int openat2(int at, const char* path, open_how how) { return static_cast<int>(syscall(SYS_openat2, at, path, &how, sizeof how)); }
inline int close_range(unsigned first, unsigned last, unsigned flags) {
  return static_cast<int>(syscall(SYS_close_range, first, last, flags));
}

}  // namespace sys
