#include "directory-reader.h"

#include <sys/syscall.h>

#include <cstdint>
#include <cstring>

#include "../fd.h"

namespace tsbuild {

namespace {

// getdents64(2): struct linux_dirent64.
constexpr size_t kLengthOffset = 16;
constexpr size_t kTypeOffset = 18;
constexpr size_t kNameOffset = 19;

}  // namespace

bool DirectoryReader::next(Name* name) {
  for (;;) {
    if (at_ == filled_) {
      long got = retry([&] { return syscall(SYS_getdents64, fd_, buffer_, kBufferBytes); });
      if (got <= 0) {
        error_ = got < 0 ? errno : 0;
        return false;
      }
      at_ = 0;
      filled_ = static_cast<size_t>(got);
    }
    const char* record = buffer_ + at_;
    uint16_t length;
    memcpy(&length, record + kLengthOffset, sizeof length);
    at_ += length;
    const char* text = record + kNameOffset;
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) continue;
    name->text = text;
    name->type = static_cast<unsigned char>(record[kTypeOffset]);
    return true;
  }
}

}  // namespace tsbuild
