#pragma once

#include "fd.h"

// Where this process says how soon it is killed for lack of memory. Opened while /proc is the host's; not valid where there is none.
Fd open_own_score();

// Of those under a limit of memory the kernel kills the largest, and sometimes another one before it has that one's memory back: that other shall be none
// that the sandbox needs. What is forked afterwards inherits it. Takes CAP_SYS_RESOURCE over the machine; without it nothing changes.
void be_killed_last(const Fd& score);
