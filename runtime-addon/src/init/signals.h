#pragma once

#include <initializer_list>

#include "fd.h"
#include "result.h"

// Default action for every signal, none blocked: what an inherited mask or SIG_IGN would otherwise change in the command.
Result reset_signals();

// Blocks these signals and gives a descriptor from which they are read.
Result open_signals(std::initializer_list<int> signals, Fd& fd);
