#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "result.h"
#include "router.h"
#include "seccomp.h"

// The language of fd 3: tokens, each ended by a NUL, read to the end of the file. The first token is the version, the second
// the number of all tokens (so that a spec cut short by the death of its writer is never obeyed), then settings and
// operations, each a name with a fixed number of arguments; after "--" comes the command. protocol.ts is the writing side.

inline constexpr const char* kVersion = "tsb-init/1";

// A step of making the root file system, run in the order of the spec.
struct Operation {
  std::string name;
  std::vector<std::string> arguments;
};

struct IdRange {
  uint32_t inside, outside, count;
};

struct ResourceLimit {
  int resource;
  rlim_t soft;
  // Absent: as it is.
  std::optional<rlim_t> hard;
};

struct Spec {
  // Process whose user namespace is joined first; 0: none.
  pid_t join = 0;
  // Directory that is seen through the ids of that namespace; empty: none.
  std::string mapped;
  bool new_network = false;
  // Process whose network namespace is joined; 0: none.
  pid_t join_network = 0;
  // The command gets a user namespace of its own with the same ids (own-users.h).
  bool own_users = false;
  // Abstract unix sockets of others are out of reach (scope.h).
  bool scope = false;
  // The command gets a terminal of its own, relayed to fd 0 and 1.
  bool terminal = false;
  // fd 1 and 2 are sockets: the command gets pipes, because a socket cannot be opened as /dev/stdout.
  bool relay = false;
  std::vector<Operation> operations;

  // A network namespace instead of a sandbox: the command connects it (network.h).
  bool network = false;
  // How long the command may take until it says that it is ready.
  int deadline_ms = 10000;
  // It is another one that is connected, and the sandboxes' lies behind it (router.h).
  bool routed = false;
  // What that one does not hand on.
  std::vector<Prefix> blackholes;

  // A worker in a new user namespace instead of a sandbox.
  bool worker = false;
  std::vector<IdRange> uid_map, gid_map;
  // What the kernel asks of a map that an unprivileged process writes itself.
  bool deny_setgroups = false;
  // Set-uid programs that write the maps; empty: written directly.
  std::string newuidmap, newgidmap;

  std::vector<std::string> command, environment;
  std::string cwd = "/";
  // Where a command without a slash is looked for, as PATH.
  std::string search_path;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  // Bit n is capability n.
  uint64_t capabilities = 0;
  // The command gains nothing by set-uid programs and file capabilities.
  bool no_new_privileges = false;
  mode_t umask = 022;
  std::vector<ResourceLimit> limits;
  // Of system calls, loaded in this order by the command, and by the sandbox's first process.
  std::vector<SeccompFilter> filters;
};

// Reads a spec to the end of the file. EPROTO: not of this version, or cut short; EINVAL: the token in `path` is wrong.
Result read_spec(int fd, Spec& spec);

// A decimal (or, with base 8, octal) number of at most `max`; false where the text is anything else.
bool parse_number(const std::string& text, uint64_t max, uint64_t& value, int base = 10);
