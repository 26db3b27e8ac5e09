#pragma once

#include <string>

#include "fd.h"
#include "result.h"
#include "spec.h"

// A directory of the host, seen through the ids of the user namespace that the sandbox joins: what belongs to id n on disk belongs to id n
// inside (mount_setattr(2), "ID-mapped mounts"). Nothing where the spec asks for none.
struct Mapped {
  std::string directory;
  Fd mount;

  // The same path by way of the mount, where it leads into the directory.
  std::string path(const std::string& given) const;
};

// As the caller, before the namespace is joined: only who owns the file system may map it. The directory becomes the working directory.
Result open_mapped(const Spec& spec, Mapped& mapped);

// In the sandbox's mount namespace, over the directory itself: paths lead only into what is mounted in it.
Result attach_mapped(const Mapped& mapped);
