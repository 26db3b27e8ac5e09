#pragma once

#include "spec.h"
#include "status.h"

// Makes a network namespace, lets the spec's command connect it to the outside, and holds both until the status channel is closed or one of
// them ends. Once the network is ready it reports a process in the namespace; both die with this process. Returns the exit code.
int become_network(const Spec& spec, const Status& status);
