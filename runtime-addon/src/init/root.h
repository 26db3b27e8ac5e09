#pragma once

#include <string>
#include <vector>

#include "fd.h"
#include "mapped.h"
#include "result.h"
#include "status.h"

// The root file system in the making: mounted, not yet entered.
struct Root {
  const Status& status;
  const Mapped& mapped;
  // Lower directories collected so far, topmost first.
  std::vector<std::string> lowers;
  // O_PATH descriptor of its top directory, once there is one.
  Fd top;
};

// Mounts an overlay of root.lowers, `upper` and `work` (in this mount namespace, on top of `upper`) as the root; lowers named later are for
// another one.
Result take_overlay(Root& root, const std::string& upper, const std::string& work);

// Takes a plain directory of the host as the root.
Result take_directory(Root& root, const std::string& directory);

// Makes the overlay that is "/" read-only for good, also for descriptors that processes outside got of it. EBUSY: one can still write.
Result seal_overlay();

// Makes the root file system "/" and the host's unreachable.
Result enter(const Root& root);
