#pragma once

#include <string>

#include "root.h"

// Sets a kernel parameter of the namespaces we are in, by its path below the root. Where the kernel refuses, that is reported as skipped.
Result set_sysctl(const Root& root, const std::string& path, const std::string& value);
