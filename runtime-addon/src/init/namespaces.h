#pragma once

#include <sys/types.h>

#include <string>

#include "result.h"

// Enters the user namespace of a process and becomes its root.
Result join_user_namespace(pid_t pid);

// Enters the network namespace of a process.
Result join_network_namespace(pid_t pid);

// Enters a new mount namespace.
Result leave_mount_namespace();

// As fork(2), with the child as first process of new pid, ipc, uts and cgroup (and network) namespaces.
Result fork_into_namespaces(bool new_network, pid_t& pid);

Result set_hostname(const std::string& name);

// Brings "lo" up in the network namespace we are in.
Result raise_loopback();
