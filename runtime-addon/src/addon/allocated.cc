#include "allocated.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "../fd.h"
#include "directory-reader.h"

namespace tsbuild {

namespace {

/** So many of the innermost directories are open; those above are opened again by "..", so that depth costs no descriptors. */
constexpr size_t kMostOpen = 64;

/** stat(2): st_blocks is in units of 512 bytes, whatever the file system's own. */
constexpr uint64_t kBlockBytes = 512;

using FileId = std::pair<dev_t, ino_t>;

FileId id_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

/** It has gone, something else is there now, or it may not be looked into (files of mapped owners). */
bool counts_as_nothing(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES || error == EPERM;
}

class Measurer {
 public:
  explicit Measurer(const std::string& path) : path_(path), buffer_(new char[DirectoryReader::kBufferBytes]) {}

  Allocated measure() {
    if (add(AT_FDCWD, path_.c_str())) enter(AT_FDCWD, path_.c_str());
    while (!levels_.empty()) {
      std::vector<std::string>& left = levels_.back().directories;
      if (left.empty()) {
        leave();
        continue;
      }
      std::string name = std::move(left.back());
      left.pop_back();
      enter(levels_.back().directory.get(), name.c_str());
    }
    return std::move(sum_);
  }

 private:
  struct Level {
    Fd directory;
    FileId id;
    /** In it, and not yet entered. */
    std::vector<std::string> directories;
  };

  /** Whether it is a directory. */
  bool add(int parent, const char* name) {
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      note(errno, "lstat");
      return false;
    }
    bool is_directory = S_ISDIR(status.st_mode);
    bool is_known = !is_directory && status.st_nlink > 1 && !counted_.insert(id_of(status)).second;
    if (!is_known) sum_.bytes += static_cast<uint64_t>(status.st_blocks) * kBlockBytes;
    return is_directory;
  }

  void enter(int parent, const char* name) {
    Level level;
    level.directory.reset(retry([&] { return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }));
    struct stat status;
    if (!level.directory.valid() || fstat(level.directory.get(), &status) != 0) return note(errno, "open");
    level.id = id_of(status);
    DirectoryReader reader(level.directory.get(), buffer_.get());
    DirectoryReader::Name child;
    while (reader.next(&child)) {
      if (add(level.directory.get(), child.text.data())) level.directories.emplace_back(child.text);
    }
    if (reader.error() != 0) note(reader.error(), "scandir");
    levels_.push_back(std::move(level));
    if (levels_.size() > kMostOpen) levels_[levels_.size() - 1 - kMostOpen].directory.reset();
  }

  void leave() {
    Fd left = std::move(levels_.back().directory);
    levels_.pop_back();
    if (levels_.empty() || levels_.back().directory.valid()) return;
    Level& parent = levels_.back();
    parent.directory.reset(retry([&] { return openat(left.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    struct stat status;
    if (parent.directory.valid() && fstat(parent.directory.get(), &status) == 0 && id_of(status) == parent.id) return;
    // Somebody has moved it meanwhile: what is above cannot be found again.
    note(ESTALE, "open");
    levels_.clear();
  }

  void note(int error, const char* syscall) {
    if (!sum_.failure && !counts_as_nothing(error)) sum_.failure = Failure::system(error, syscall, path_);
  }

  const std::string& path_;
  std::unique_ptr<char[]> buffer_;
  std::vector<Level> levels_;
  std::set<FileId> counted_;
  Allocated sum_;
};

}  // namespace

Allocated allocated_bytes(const std::string& path) { return Measurer(path).measure(); }

}  // namespace tsbuild
