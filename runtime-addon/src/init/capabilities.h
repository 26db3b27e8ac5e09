#pragma once

#include <cstdint>

#include "result.h"

// Sets of capabilities: bit n is capability n (linux/capability.h).

// Takes all other capabilities out of the bounding set and empties the ambient set.
Result limit_bounding_set(uint64_t allowed);

// Makes permitted and effective what we have of `wanted`, and inheritable nothing.
Result limit_capabilities(uint64_t wanted);
