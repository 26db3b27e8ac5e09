// abstract-socket serve NAME: listens on the abstract unix socket of that name and says so; who connects reads "hello".
// abstract-socket ask NAME: prints what is read there, else the errno of connecting.
// abstract-socket both NAME: one process serves, another asks.
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t length;

static int opened(void) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr*)&address, length) < 0 || listen(fd, 9) < 0) exit(3);
  return fd;
}

static void answer(int listener) {
  const int fd = accept(listener, 0, 0);
  if (write(fd, "hello", 5) < 0) exit(4);
  close(fd);
}

static void ask(void) {
  char text[64];
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr*)&address, length) < 0) {
    printf("errno %d\n", errno);
    return;
  }
  const ssize_t size = read(fd, text, sizeof text);
  printf("%.*s\n", (int)(size > 0 ? size : 0), text);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  strncpy(address.sun_path + 1, argv[2], sizeof address.sun_path - 2);
  length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argv[2]);
  if (strcmp(argv[1], "ask") == 0) return ask(), 0;
  const int listener = opened();
  if (strcmp(argv[1], "serve") == 0) {
    puts("listening");
    fflush(stdout);
    for (;;) answer(listener);
  }
  if (fork() == 0) return ask(), 0;
  answer(listener);
  wait(0);
  return 0;
}
