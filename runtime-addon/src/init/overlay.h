#pragma once

#include <string>
#include <vector>

#include "fd.h"
#include "result.h"

// Directories stacked as one. Device files in it cannot be opened: a command with CAP_MKNOD must not reach the host's disks.
struct Overlay {
  // Topmost first. The kernel wants two where there is no upper.
  std::vector<std::string> lowers;
  // Empty: read-only.
  std::string upper, work;
};

// Mounts an overlay in this mount namespace, on top of its upper or else its first lower; `place` is where.
Result mount_overlay(const Overlay& overlay, std::string& place);

// An unattached mount of what `source` names in an overlay (symlinks followed as if the overlay were "/"), and `directory`: whether it
// is one. The overlay itself stays nowhere in reach.
Result open_overlay(const Overlay& overlay, const std::string& source, Fd& mount, bool& directory);
