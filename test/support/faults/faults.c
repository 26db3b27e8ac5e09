// Loaded before libc (ld.so(8), LD_PRELOAD): counts the calls by which a process changes files below one directory, over all processes that
// have the same plan, and lets those fail that the plan says. Reads, and whatever is elsewhere, pass untouched.
//
//   TSBUILD_FAULTS_ROOT    the directory, as the kernel names it (no symlinks in it)
//   TSBUILD_FAULTS_PLAN    a file with the struct below; FILE.log gets a line for each call that was counted or refused
//   TSBUILD_FAULTS_REFUSE  "call=errno,…": what this file system has not at all
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <linux/openat2.h>

struct plan {
  /** Calls so far. */
  _Atomic int64_t count;
  /** The first that fails; 0: none. */
  int64_t nth;
  int64_t error;
  /** Whether all after it fail too, as on a disk that is full or gone. */
  int64_t lasting;
  /** Whether only calls count that may need room on the disk. */
  int64_t only_room;
};

static struct plan *plan;
static const char *root, *refused;
static char log_path[PATH_MAX];

__attribute__((constructor)) static void read_plan(void) {
  root = getenv("TSBUILD_FAULTS_ROOT");
  refused = getenv("TSBUILD_FAULTS_REFUSE");
  const char *file = getenv("TSBUILD_FAULTS_PLAN");
  if (root == NULL || file == NULL) return;
  snprintf(log_path, sizeof log_path, "%s.log", file);
  FILE *opened = fopen(file, "r+e");
  if (opened == NULL) abort();
  void *mapped = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(opened), 0);
  fclose(opened);
  if (mapped == MAP_FAILED) abort();
  plan = mapped;
}

static void note(const char *call, const char *path, int error, bool room) {
  // fopen's own system calls are not among those that are looked at.
  FILE *log = fopen(log_path, "ae");
  if (log == NULL) abort();
  fprintf(log, "%s %d %d %s\n", call, error, room, path + strlen(root));
  fclose(log);
}

static int refusal(const char *call) {
  size_t length = strlen(call);
  for (const char *at = refused; at != NULL && *at != '\0'; at += *at == ',') {
    if (strncmp(at, call, length) == 0 && at[length] == '=') return atoi(at + length + 1);
    at += strcspn(at, ",");
  }
  return 0;
}

/** The errno by which the call fails; 0: it is made. */
static int failing(const char *call, const char *path, bool room) {
  int error = refusal(call);
  if (error != 0) {
    note(call, path, error, room);
    return error;
  }
  if (plan->only_room && !room) return 0;
  int64_t number = atomic_fetch_add(&plan->count, 1) + 1;
  bool fails = plan->nth != 0 && (number == plan->nth || (plan->lasting && number > plan->nth));
  if (fails || plan->nth == 0) note(call, path, fails ? (int)plan->error : 0, room);
  return fails ? (int)plan->error : 0;
}

static bool is_below(const char *path) {
  size_t length = strlen(root);
  return strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/** Whether an open file is below the root; `path` becomes its name. */
static bool of_fd(int fd, char *path) {
  if (plan == NULL) return false;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return is_below(path);
}

/** The same of a name below an open directory. */
static bool at(int directory, const char *name, char *path) {
  if (plan == NULL || name == NULL) return false;
  int fd, skipped = 0;
  if (sscanf(name, "/proc/self/fd/%d%n", &fd, &skipped) == 1 && skipped > 0) {
    directory = fd;
    name += skipped + (name[skipped] == '/');
  } else if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
    return is_below(path);
  }
  if (directory == AT_FDCWD ? getcwd(path, PATH_MAX) == NULL : (of_fd(directory, path), path[0] == '\0')) return false;
  size_t length = strlen(path);
  snprintf(path + length, PATH_MAX - length, "/%s", name);
  return is_below(path);
}

/** A call that is made unless its file is below the root (`where`) and the plan has it fail. */
#define WRAP(result, call, parameters, arguments, where, room)                  \
  result call parameters {                                                      \
    static result(*real) parameters;                                            \
    if (real == NULL) real = (result(*) parameters)dlsym(RTLD_NEXT, #call);     \
    char path[PATH_MAX] = "";                                                   \
    int error = (where) ? failing(#call, path, room) : 0;                       \
    if (error == 0) return real arguments;                                      \
    errno = error;                                                              \
    return -1;                                                                  \
  }

WRAP(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), of_fd(fd, path), true)
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), of_fd(fd, path), true)
WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t offset), (fd, bytes, size, offset), of_fd(fd, path), true)
WRAP(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t offset), (fd, bytes, size, offset), of_fd(fd, path), true)
WRAP(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t offset), (fd, parts, count, offset), of_fd(fd, path), true)
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t offset), (fd, parts, count, offset), of_fd(fd, path), true)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), of_fd(fd, path), true)
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), of_fd(fd, path), true)
WRAP(int, fallocate, (int fd, int mode, off_t offset, off_t size), (fd, mode, offset, size), of_fd(fd, path), true)
WRAP(int, fallocate64, (int fd, int mode, off64_t offset, off64_t size), (fd, mode, offset, size), of_fd(fd, path), true)
WRAP(ssize_t, sendfile, (int to, int from, off_t *offset, size_t size), (to, from, offset, size), of_fd(to, path), true)
WRAP(ssize_t, sendfile64, (int to, int from, off64_t *offset, size_t size), (to, from, offset, size), of_fd(to, path), true)
WRAP(ssize_t, copy_file_range, (int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags),
     (from, from_offset, to, to_offset, size, flags), of_fd(to, path), true)
WRAP(int, fsync, (int fd), (fd), of_fd(fd, path), true)
WRAP(int, fdatasync, (int fd), (fd), of_fd(fd, path), true)
WRAP(int, syncfs, (int fd), (fd), of_fd(fd, path), true)
WRAP(int, mkdir, (const char *name, mode_t mode), (name, mode), at(AT_FDCWD, name, path), true)
WRAP(int, mkdirat, (int directory, const char *name, mode_t mode), (directory, name, mode), at(directory, name, path), true)
WRAP(int, mknodat, (int directory, const char *name, mode_t mode, dev_t device), (directory, name, mode, device), at(directory, name, path), true)
WRAP(int, symlink, (const char *target, const char *name), (target, name), at(AT_FDCWD, name, path), true)
WRAP(int, symlinkat, (const char *target, int directory, const char *name), (target, directory, name), at(directory, name, path), true)
WRAP(int, link, (const char *from, const char *to), (from, to), at(AT_FDCWD, to, path), true)
WRAP(int, linkat, (int from_directory, const char *from, int directory, const char *to, int flags), (from_directory, from, directory, to, flags),
     at(directory, to, path), true)
WRAP(int, rename, (const char *from, const char *to), (from, to), at(AT_FDCWD, to, path), true)
WRAP(int, renameat, (int from_directory, const char *from, int directory, const char *to), (from_directory, from, directory, to),
     at(directory, to, path), true)
WRAP(int, setxattr, (const char *name, const char *attribute, const void *value, size_t size, int flags), (name, attribute, value, size, flags),
     at(AT_FDCWD, name, path), true)
WRAP(int, lsetxattr, (const char *name, const char *attribute, const void *value, size_t size, int flags), (name, attribute, value, size, flags),
     at(AT_FDCWD, name, path), true)
WRAP(int, fsetxattr, (int fd, const char *attribute, const void *value, size_t size, int flags), (fd, attribute, value, size, flags),
     of_fd(fd, path), true)
WRAP(int, unlink, (const char *name), (name), at(AT_FDCWD, name, path), false)
WRAP(int, unlinkat, (int directory, const char *name, int flags), (directory, name, flags), at(directory, name, path), false)
WRAP(int, rmdir, (const char *name), (name), at(AT_FDCWD, name, path), false)
WRAP(int, chmod, (const char *name, mode_t mode), (name, mode), at(AT_FDCWD, name, path), false)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), of_fd(fd, path), false)
WRAP(int, fchmodat, (int directory, const char *name, mode_t mode, int flags), (directory, name, mode, flags), at(directory, name, path), false)
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), of_fd(fd, path), false)
WRAP(int, chown, (const char *name, uid_t uid, gid_t gid), (name, uid, gid), at(AT_FDCWD, name, path), false)
WRAP(int, lchown, (const char *name, uid_t uid, gid_t gid), (name, uid, gid), at(AT_FDCWD, name, path), false)
WRAP(int, fchownat, (int directory, const char *name, uid_t uid, gid_t gid, int flags), (directory, name, uid, gid, flags),
     at(directory, name, path), false)
WRAP(int, utimensat, (int directory, const char *name, const struct timespec times[2], int flags), (directory, name, times, flags),
     at(directory, name, path), false)
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times), of_fd(fd, path), false)

/** Is refused where a file system has no locks, and counts as nothing: it is no matter of the disk. */
int flock(int fd, int operation) {
  static int (*real)(int, int);
  if (real == NULL) real = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
  char path[PATH_MAX];
  int error = of_fd(fd, path) ? refusal("flock") : 0;
  if (error == 0) return real(fd, operation);
  note("flock", path, error, false);
  errno = error;
  return -1;
}

/** The same of locks of bytes; what else fcntl does passes. */
int fcntl64(int fd, int command, ...) {
  static int (*real)(int, int, ...);
  if (real == NULL) real = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
  va_list rest;
  va_start(rest, command);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  char path[PATH_MAX];
  bool locks = command == F_OFD_SETLK || command == F_OFD_SETLKW;
  int error = locks && of_fd(fd, path) ? refusal("fcntl") : 0;
  if (error == 0) return real(fd, command, argument);
  note("fcntl", path, error, false);
  errno = error;
  return -1;
}

/** Opening counts where it may make a file. */
#define MODE(flags, mode)                               \
  mode_t mode = 0;                                      \
  if ((flags) & (O_CREAT | __O_TMPFILE)) {              \
    va_list rest;                                       \
    va_start(rest, flags);                              \
    mode = va_arg(rest, mode_t);                        \
    va_end(rest);                                       \
  }
#define WRAP_OPEN(call)                                                                           \
  int call(const char *name, int flags, ...) {                                                    \
    static int (*real)(const char *, int, ...);                                                   \
    if (real == NULL) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #call);            \
    MODE(flags, mode)                                                                             \
    char path[PATH_MAX] = "";                                                                     \
    int error = (flags & (O_CREAT | O_TRUNC)) && at(AT_FDCWD, name, path) ? failing("open", path, true) : 0; \
    if (error == 0) return real(name, flags, mode);                                               \
    errno = error;                                                                                \
    return -1;                                                                                    \
  }
#define WRAP_OPENAT(call)                                                                         \
  int call(int directory, const char *name, int flags, ...) {                                     \
    static int (*real)(int, const char *, int, ...);                                              \
    if (real == NULL) real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #call);       \
    MODE(flags, mode)                                                                             \
    char path[PATH_MAX] = "";                                                                     \
    int error = (flags & (O_CREAT | O_TRUNC)) && at(directory, name, path) ? failing("open", path, true) : 0; \
    if (error == 0) return real(directory, name, flags, mode);                                    \
    errno = error;                                                                                \
    return -1;                                                                                    \
  }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

static int failing_syscall(long number, const long *a) {
  char path[PATH_MAX] = "";
  switch (number) {
    case SYS_renameat2:
      return at((int)a[2], (const char *)a[3], path) ? failing("renameat2", path, true) : 0;
    case SYS_openat2: {
      const struct open_how *how = (const struct open_how *)a[2];
      return (how->flags & (O_CREAT | O_TRUNC)) && at((int)a[0], (const char *)a[1], path) ? failing("open", path, true) : 0;
    }
    case SYS_copy_file_range:
      return of_fd((int)a[2], path) ? failing("copy_file_range", path, true) : 0;
    default:
      return 0;
  }
}

long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (real == NULL) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  long a[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  int error = plan == NULL ? 0 : failing_syscall(number, a);
  if (error == 0) return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  errno = error;
  return -1;
}
