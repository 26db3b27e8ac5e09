#pragma once

#include "spec.h"
#include "status.h"

// Turns this process into the spec's command inside a new user namespace with the spec's maps; it is killed when the thread
// that started it ends. Everything else (environment, directory, descriptors but the spec's and the status's) stays.
// Returns an exit code: after a failure, which is reported then, and in the process that writes the maps.
int become_worker(const Spec& spec, const Status& status);
