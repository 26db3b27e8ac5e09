/* Tries every way to a new user namespace; prints one line a try: its name and the errno, 0 where it worked. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result) {
  int number = result < 0 ? errno : 0;
  printf("%s %d\n", name, number);
  fflush(stdout);
}

static long cloned(long result) {
  if (result == 0) _exit(0);
  if (result > 0) waitpid((pid_t)result, 0, 0);
  return result;
}

int main(void) {
  say("fork", cloned(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
  say("unshare", syscall(SYS_unshare, CLONE_NEWUSER));
  say("unshare-with-others", syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_FS));
  say("clone", cloned(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
  struct clone_args arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.flags = CLONE_NEWUSER;
  arguments.exit_signal = SIGCHLD;
  say("clone3", cloned(syscall(SYS_clone3, &arguments, sizeof arguments)));
#ifdef __x86_64__
  say("x32-unshare", syscall(0x40000000 + SYS_unshare, CLONE_NEWUSER));
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(310L), "b"((long)CLONE_NEWUSER) : "memory");
  errno = result < 0 ? (int)-result : 0;
  say("i386-unshare", result < 0 ? -1 : result);
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(120L), "b"((long)(CLONE_NEWUSER | SIGCHLD)), "c"(0L), "d"(0L), "S"(0L), "D"(0L) : "memory");
  errno = result < 0 ? (int)-result : 0;
  say("i386-clone", cloned(result < 0 ? -1 : result));
#endif
  return 0;
}
