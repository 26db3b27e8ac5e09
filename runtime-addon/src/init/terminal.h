#pragma once

#include <termios.h>

#include "fd.h"
#include "result.h"

// A new terminal of the sandbox's own devpts (in /dev/pts), its window as large as that of fd 0; also bound to /dev/console.
struct Terminal {
  Fd master, slave;
};
Result open_terminal(uid_t owner, Terminal& terminal);

// Gives the terminal the window size of fd 0, where that is one.
void copy_window_size(int master);

// Moves what can be read from one descriptor to another. False: the end, or the other side is gone.
bool pump(int from, int to);

// While it lives, fd 0 (where it is a terminal) passes every byte on as it is.
class RawInput {
 public:
  explicit RawInput(bool wanted);
  RawInput(const RawInput&) = delete;
  RawInput& operator=(const RawInput&) = delete;
  ~RawInput();

 private:
  bool active_ = false;
  termios saved_{};
};
