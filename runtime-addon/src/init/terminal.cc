#include "terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "syscalls.h"

namespace {

Result bind_console() {
  Fd tree(sys::open_tree(AT_FDCWD, "/dev/pts/0", OPEN_TREE_CLONE));
  if (!tree.valid()) return failed("open_tree", "/dev/pts/0");
  Fd place(open("/dev/console", O_CREAT | O_EXCL | O_CLOEXEC | O_RDONLY | O_NOCTTY, 0600));
  if (!place.valid()) return failed("open", "/dev/console");
  return sys::move_mount(tree.get(), place.get()) < 0 ? failed("move_mount", "/dev/console") : success();
}

}  // namespace

Result open_terminal(uid_t owner, Terminal& terminal) {
  terminal.master = Fd(open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.master.valid()) return failed("open", "/dev/pts/ptmx");
  int locked = 0;
  if (ioctl(terminal.master.get(), TIOCSPTLCK, &locked) < 0) return failed("ioctl", "TIOCSPTLCK");
  terminal.slave = Fd(ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave.valid()) return failed("ioctl", "TIOCGPTPEER");
  if (fchown(terminal.slave.get(), owner, static_cast<gid_t>(-1)) < 0) return failed("fchown", "terminal");
  copy_window_size(terminal.master.get());
  return bind_console();
}

void copy_window_size(int master) {
  winsize size;
  if (ioctl(0, TIOCGWINSZ, &size) == 0) ioctl(master, TIOCSWINSZ, &size);
}

bool pump(int from, int to) {
  char buffer[16384];
  const ssize_t length = read(from, buffer, sizeof buffer);
  if (length < 0) return errno == EINTR || errno == EAGAIN;
  if (length == 0) return false;
  for (ssize_t at = 0; at < length;) {
    const ssize_t written = write(to, buffer + at, static_cast<size_t>(length - at));
    if (written >= 0) {
      at += written;
    } else if (errno == EAGAIN) {
      // The terminal's description may be shared with a process that made it non-blocking.
      pollfd ready{to, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

RawInput::RawInput(bool wanted) {
  if (!wanted || tcgetattr(0, &saved_) < 0) return;
  termios raw = saved_;
  cfmakeraw(&raw);
  active_ = tcsetattr(0, TCSADRAIN, &raw) == 0;
}

RawInput::~RawInput() {
  if (active_) tcsetattr(0, TCSADRAIN, &saved_);
}
