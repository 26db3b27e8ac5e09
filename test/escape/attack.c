// What a hostile command tries: each way prints a line for what it came to. Static, for any root file system.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Prints the names of what worked only.
static void tried(const char* what, long result) {
  if (result >= 0) printf("%s\n", what);
}

// What hides a file: who writes to it reaches nothing.
static int is_null(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 && S_ISCHR(file.st_mode) && file.st_rdev == makedev(1, 3);
}

// Opens files for writing, and writes nothing.
static void open_all(int count, char** paths) {
  for (int i = 0; i < count; i++) {
    int fd = open(paths[i], O_WRONLY | O_CLOEXEC);
    if (!is_null(fd)) tried(paths[i], fd);
  }
}

static void mounts(void) {
  mkdir("/tmp/m", 0755);
  tried("mount tmpfs", mount("none", "/tmp/m", "tmpfs", 0, 0));
  tried("bind", mount("/proc", "/tmp/m", 0, MS_BIND | MS_REC, 0));
  tried("remount /sys", mount("none", "/sys", 0, MS_REMOUNT | MS_BIND, 0));
  tried("remount /proc/sys", mount("none", "/proc/sys", 0, MS_REMOUNT | MS_BIND, 0));
  tried("unmask /proc/kcore", umount2("/proc/kcore", MNT_DETACH));
  tried("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
  tried("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/proc", 1));
  tried("new user namespace", unshare(CLONE_NEWUSER));
  tried("new mount namespace", unshare(CLONE_NEWNS));
  tried("cgroup", mount("none", "/tmp/m", "cgroup2", 0, 0));
}

static void attack_process(pid_t pid) {
  char byte;
  struct iovec own = {&byte, 1}, other = {(void*)0x1000, 1};
  tried("signal", kill(pid, 0));
  tried("attach", ptrace(PTRACE_SEIZE, pid, 0, 0));
  // EFAULT: it may be read, and nothing is there.
  tried("memory", process_vm_readv(pid, &own, 1, &other, 1, 0) < 0 && errno != EFAULT ? -1 : 0);
}

// Node fills the name up with zeros; others do not.
static void connect_abstract(const char* name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path + 1, name, strlen(name));
  socklen_t sizes[] = {sizeof address, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)};
  for (int i = 0; i < 2; i++) tried("connected", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr*)&address, sizes[i]));
}

static void fork_many(int most) {
  int made = 0;
  for (; made < most; made++) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) pause(), _exit(0);
  }
  printf("%d\n", made);
}

static void take_memory(int mebibytes) {
  for (int i = 0; i < mebibytes; i++) {
    char* bytes = malloc(1 << 20);
    if (bytes == 0) return;
    memset(bytes, i + 1, 1 << 20);
  }
  printf("taken\n");
}

// Exchanges two names again and again, until a file `stop` is there.
static void swap(const char* a, const char* b, const char* stop) {
  while (access(stop, F_OK) < 0) syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2);
}

int main(int count, char** words) {
  const char* way = count > 1 ? words[1] : "";
  if (strcmp(way, "open") == 0) open_all(count - 2, words + 2);
  else if (strcmp(way, "mount") == 0) mounts();
  else if (strcmp(way, "process") == 0) attack_process(atoi(words[2]));
  else if (strcmp(way, "connect") == 0) connect_abstract(words[2]);
  else if (strcmp(way, "fork") == 0) fork_many(atoi(words[2]));
  else if (strcmp(way, "memory") == 0) take_memory(atoi(words[2]));
  else if (strcmp(way, "swap") == 0) swap(words[2], words[3], words[4]);
  else return 2;
  fflush(stdout);
  return 0;
}
