/* Makes system calls of each kind; prints one line a call: its name and the errno, 0 where it worked. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *name, long result) {
  printf("%s %d\n", name, result < 0 ? errno : 0);
  fflush(stdout);
}

#define CALL(name, ...) say(#name, syscall(SYS_##name, ##__VA_ARGS__))

static void *idle(void *argument) { return argument; }
static void ignore(int number) { (void)number; }

/* What Docker's profile refuses: none of them is to get as far as looking at its arguments. */
static void refused(void) {
  CALL(mount, "x", "/tmp", "tmpfs", 0, 0);
  CALL(umount2, "/proc", 2);
  CALL(pivot_root, ".", ".");
  CALL(fsopen, "tmpfs", 0);
  CALL(open_tree, -100, "/", 1);
  CALL(move_mount, -1, "", -100, "/tmp", 4);
  CALL(mount_setattr, -100, "/", 0, 0, 0);
  CALL(unshare, CLONE_NEWUSER);
  CALL(setns, 0, 0);
  CALL(bpf, 0, 0, 0);
  CALL(keyctl, 0, -3, 0);
  CALL(add_key, "user", "x", "y", 1, -3);
  CALL(request_key, "user", "x", 0, 0);
  CALL(kexec_load, 0, 0, 0, 0);
  CALL(init_module, 0, 0, "");
  CALL(finit_module, 0, "", 0);
  CALL(delete_module, "x", 0);
  CALL(reboot, 0, 0, 0, 0);
  CALL(userfaultfd, 0);
  CALL(io_uring_setup, 1, 0);
  CALL(io_uring_enter, 0, 0, 0, 0, 0);
  CALL(io_uring_register, 0, 0, 0, 0);
  CALL(perf_event_open, 0, 0, -1, -1, 0);
  CALL(open_by_handle_at, 0, 0, 0);
  CALL(fanotify_init, 0, 0);
  CALL(settimeofday, 0, 0);
  CALL(clock_settime, 0, 0);
  CALL(sethostname, "x", 1);
  CALL(setdomainname, "x", 1);
  CALL(swapon, "/x", 0);
  CALL(acct, 0);
  CALL(syslog, 10, 0, 0);
  CALL(quotactl, 0, 0, 0, 0);
  CALL(kcmp, 0, 0, 0, 0, 0);
  CALL(pidfd_getfd, 0, 0, 0);
  CALL(mbind, 0, 0, 0, 0, 0, 0);
  CALL(move_pages, 0, 0, 0, 0, 0, 0);
  CALL(vhangup);
  CALL(clone3, 0, 0);
  say("AF_VSOCK", socket(40, SOCK_STREAM, 0));
  say("AF_ALG", socket(38, SOCK_SEQPACKET, 0));
  say("ADDR_NO_RANDOMIZE", personality(0x40000));
}

static void processes(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  say("fork", child);
  say("waitpid", waitpid(child, 0, 0));
  child = vfork();
  if (child == 0) _exit(0);
  say("vfork", waitpid(child, 0, 0));
  pthread_t thread;
  const int failure = pthread_create(&thread, 0, idle, 0);
  say("pthread_create", failure == 0 ? pthread_join(thread, 0) : -1);
  child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  say("ptrace", WIFSTOPPED(status) ? ptrace(PTRACE_CONT, child, 0, 0) : -1);
  waitpid(child, 0, 0);
  char from[1] = "a", to[1];
  struct iovec local = {to, 1}, remote = {from, 1};
  say("process_vm_readv", process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
  say("personality", personality(0xffffffff));
  say("sched_setaffinity", sched_setaffinity(0, 0, 0) < 0 && errno == EINVAL ? 0 : -1);
  CALL(getrandom, to, 1, 0);
  CALL(gettid);
  CALL(pidfd_open, getpid(), 0);
  CALL(prctl, 16, to, 0, 0, 0);
  CALL(seccomp, 2, 0, "\0\0\0");
  CALL(membarrier, 0, 0, 0);
}

static void times(void) {
  struct sigevent event = {0};
  event.sigev_notify = SIGEV_NONE;
  timer_t timer;
  say("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
  const struct itimerval soon = {{0, 0}, {0, 1000}};
  signal(SIGALRM, ignore);
  say("setitimer", setitimer(ITIMER_REAL, &soon, 0));
  const struct timespec moment = {0, 1};
  say("nanosleep", nanosleep(&moment, 0) < 0 && errno != EINTR ? -1 : 0);
  say("timerfd_create", timerfd_create(CLOCK_MONOTONIC, 0));
}

static void files(void) {
  sigset_t none;
  sigemptyset(&none);
  say("signalfd", signalfd(-1, &none, 0));
  say("epoll_create1", epoll_create1(0));
  say("eventfd", eventfd(0, 0));
  say("inotify_init1", inotify_init1(0));
  say("memfd_create", memfd_create("x", 0));
  struct stat found;
  say("stat", stat("/", &found));
  char room[256];
  CALL(statx, -100, "/", 0, 0xfff, room);
  CALL(openat2, -100, "/", 0, 0);
  say("mknod", mknod("/tmp/pipe", S_IFIFO | 0600, 0));
  say("chroot", chroot("/"));
  say("chown", chown("/tmp/pipe", 1, 1));
  CALL(name_to_handle_at, -100, "/", 0, 0, 0);
  CALL(copy_file_range, -1, 0, -1, 0, 1, 0);
  CALL(close_range, 100, 101, 0);
  say("mmap", mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  say("mlock", mlock(room, sizeof room));
  CALL(futex, room, FUTEX_WAKE, 1, 0, 0, 0);
  CALL(rseq, 0, 0, 0, 0);
  CALL(landlock_create_ruleset, 0, 0, 1);
  say("shmget", shmget(IPC_PRIVATE, 1, 0600));
  const int families[] = {AF_UNIX, AF_INET, AF_INET6, 16};
  const char *names[] = {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"};
  for (int i = 0; i < 4; i++) say(names[i], socket(families[i], i == 3 ? SOCK_RAW : SOCK_STREAM, 0));
  int pair[2];
  say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

int main(int count, char **words) {
  if (count > 1 && strcmp(words[1], "refused") == 0) refused();
  else {
    processes();
    times();
    files();
  }
  return 0;
}
