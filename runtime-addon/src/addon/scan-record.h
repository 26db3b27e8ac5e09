#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "xattr.h"

namespace tsbuild {

/** Appends one packed record; the layout is documented where it is read, in scan-record.ts. */
void append_record(std::string* records, std::string_view path, const struct stat& status, std::string_view target,
                   const std::vector<Xattr>& xattrs);

}  // namespace tsbuild
