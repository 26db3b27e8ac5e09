#include "scope.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "fd.h"

namespace {

// landlock(7). The headers of older distributions know neither the calls nor the scopes; the numbers are those of every architecture.
constexpr long kCreateRuleset = 444, kRestrictSelf = 446;
constexpr unsigned kVersion = 1;
constexpr int kFirstAbiWithScopes = 6;
constexpr uint64_t kAbstractUnixSocket = 1;

struct Ruleset {
  uint64_t file_system = 0, network = 0, scoped = kAbstractUnixSocket;
};

Result restrict_self() {
  const long abi = syscall(kCreateRuleset, nullptr, 0, kVersion);
  if (abi < 0) return failed("landlock_create_ruleset");
  if (abi < kFirstAbiWithScopes) return failure("landlock_create_ruleset", ENOSYS);
  const Ruleset wanted;
  Fd ruleset(static_cast<int>(syscall(kCreateRuleset, &wanted, sizeof wanted, 0)));
  if (!ruleset.valid()) return failed("landlock_create_ruleset");
  return syscall(kRestrictSelf, ruleset.get(), 0) < 0 ? failed("landlock_restrict_self") : success();
}

}  // namespace

void scope_abstract_sockets(const Status& status) {
  if (const Result r = restrict_self(); !r.ok()) status.skipped("--scope", r);
}
