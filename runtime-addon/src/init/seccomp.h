#pragma once

#include "result.h"
#include "spec.h"

// Installs the spec's filters for this process and its children. Needs CAP_SYS_ADMIN, since no_new_privs stays off.
Result install_filters(const Spec& spec);
