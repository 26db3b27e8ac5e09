#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "result.h"

// A filter of system calls, as the caller compiled it.
struct SeccompFilter {
  unsigned flags = 0;
  std::vector<sock_filter> program;
};

// Reads instructions in hexadecimal, 16 digits each; false where the text is anything else, or of no instruction.
bool parse_program(const std::string& text, std::vector<sock_filter>& program);

// Loads filters for good, for this process and all that it starts. Needs CAP_SYS_ADMIN, since no_new_privs may stay off.
Result load_filters(const std::vector<SeccompFilter>& filters);
