#pragma once

#include "../fd.h"

using tsbuild::Fd;
