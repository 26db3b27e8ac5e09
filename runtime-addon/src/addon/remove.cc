#include "remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/fs.h>
#include <memory>

#include "below.h"
#include "directory-reader.h"

namespace tsbuild {

namespace {

/** A deeper directory is moved to the top first, so that depth costs neither descriptors nor stack. */
constexpr size_t kMaxDepth = 64;
/** A directory into which others keep writing is given up after this many rounds. */
constexpr int kMaxRounds = 16;

class Remover {
 public:
  explicit Remover(std::string path) : path_(std::move(path)), buffer_(new char[DirectoryReader::kBufferBytes]) {}

  Outcome remove() {
    if (unlinkat(AT_FDCWD, path_.c_str(), 0) == 0 || errno == ENOENT) return {};
    // A directory is EISDIR on Linux, EPERM in POSIX, and EACCES where its parent is not ours: then we empty it at least.
    int why = errno;
    if (why != EISDIR && why != EPERM && why != EACCES) return failed(why, "unlink");
    Fd top = open_directory(AT_FDCWD, path_.c_str());
    if (!top.valid()) return errno == ENOTDIR || errno == ELOOP ? failed(why, "unlink") : failed(errno, "open");
    levels_.emplace_back(std::move(top), path_);
    while (!levels_.empty()) {
      if (Outcome failure = step()) return failure;
    }
    return {};
  }

 private:
  struct Level {
    Level(Fd opened, std::string called) : directory(std::move(opened)), name(std::move(called)) {}

    Fd directory;
    /** How its parent knows it; of the first, the path. */
    std::string name;
    bool cleared = false;
    std::vector<std::string> children;
    int rounds = 0;
  };

  /** Enters a child of the innermost directory, or clears it of files, or removes it. */
  Outcome step() {
    Level& level = levels_.back();
    if (!level.children.empty()) {
      std::string name = std::move(level.children.back());
      level.children.pop_back();
      return enter(level.directory.get(), std::move(name));
    }
    if (!level.cleared) {
      level.cleared = true;
      return clear_files(level);
    }
    int parent = levels_.size() == 1 ? AT_FDCWD : levels_[levels_.size() - 2].directory.get();
    if (unlink_in(parent, level.name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
      levels_.pop_back();
      return {};
    }
    // A file system may skip names while others are removed, and others may still write here.
    if ((errno != ENOTEMPTY && errno != EEXIST) || level.rounds++ == kMaxRounds) {
      return failed(errno, "rmdir");
    }
    level.cleared = false;
    return {};
  }

  Outcome clear_files(Level& level) {
    int directory = level.directory.get();
    if (lseek(directory, 0, SEEK_SET) != 0) return failed(errno, "lseek");
    DirectoryReader reader(directory, buffer_.get());
    DirectoryReader::Name name;
    while (reader.next(&name)) {
      if (name.type == DT_DIR) {
        level.children.emplace_back(name.text);
      } else if (unlink_in(directory, name.text.data()) != 0) {
        if (errno == EISDIR || (errno == EPERM && is_directory(directory, name.text.data()))) {
          level.children.emplace_back(name.text);
        } else if (errno != ENOENT) {
          return failed(errno, "unlink", name.text);
        }
      }
    }
    return reader.error() != 0 ? Outcome(failed(reader.error(), "scandir")) : Outcome();
  }

  Outcome enter(int parent, std::string name) {
    // An empty directory needs no look inside.
    if (unlink_in(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    if (errno == ENOTDIR) {
      return unlink_in(parent, name.c_str()) == 0 || errno == ENOENT ? Outcome{} : failed(errno, "unlink", name);
    }
    if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES) return failed(errno, "rmdir", name);
    if (levels_.size() > kMaxDepth) return move_up(parent, name);
    Fd directory = open_directory(parent, name.c_str());
    if (!directory.valid()) return errno == ENOENT ? Outcome{} : failed(errno, "open", name);
    levels_.emplace_back(std::move(directory), std::move(name));
    return {};
  }

  Outcome move_up(int parent, const std::string& name) {
    int top = levels_.front().directory.get();
    // Renaming writes the directory's "..": an owner without write permission gives it to himself first.
    fchmodat(parent, name.c_str(), S_IRWXU, AT_SYMLINK_NOFOLLOW);
    for (;;) {
      std::string moved = ".deep-" + std::to_string(moved_++);
      if (syscall(SYS_renameat2, parent, name.c_str(), top, moved.c_str(), RENAME_NOREPLACE) == 0) {
        levels_.front().children.push_back(std::move(moved));
        return {};
      }
      if (errno != EEXIST) return failed(errno, "rename", name);
    }
  }

  /** unlinkat(2); where the directory is ours but not writable, it is made so. */
  static int unlink_in(int directory, const char* name, int flags = 0) {
    if (unlinkat(directory, name, flags) == 0) return 0;
    if (errno != EACCES || directory == AT_FDCWD) return -1;
    if (fchmod(directory, S_IRWXU) != 0) {
      errno = EACCES;
      return -1;
    }
    return unlinkat(directory, name, flags);
  }

  static Fd open_directory(int parent, const char* name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(retry([&] { return openat(parent, name, kFlags); }));
    if (fd.valid() || errno != EACCES) return fd;
    if (fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) != 0) {
      errno = EACCES;
      return fd;
    }
    return Fd(retry([&] { return openat(parent, name, kFlags); }));
  }

  static bool is_directory(int parent, const char* name) {
    int saved = errno;
    struct stat status;
    bool directory = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
    errno = saved;
    return directory;
  }

  Failure failed(int error, const char* syscall, std::string_view name = {}) const {
    std::string shown;
    for (const Level& level : levels_) shown += (shown.empty() ? "" : "/") + level.name;
    if (shown.empty()) shown = path_;
    if (!name.empty()) shown += "/" + std::string(name);
    return Failure::system(error, syscall, std::move(shown));
  }

  std::string path_;
  std::unique_ptr<char[]> buffer_;
  std::vector<Level> levels_;
  uint64_t moved_ = 0;
};

}  // namespace

Outcome remove_tree(const std::string& path) { return Remover(path).remove(); }

Outcome remove_many(const std::string& root, const std::vector<std::string_view>& paths) {
  Below below;
  if (Outcome failure = below.open_root(root)) return failure;
  for (std::string_view path : paths) {
    Place place;
    if (path.empty()) {
      errno = EINVAL;
      return below.failed("unlink", path);
    }
    if (!below.find(path, &place)) return below.failed("open", path);
    if (unlinkat(place.parent, place.name, 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM) return below.failed("unlink", path);
    int why = errno;
    if (unlinkat(place.parent, place.name, AT_REMOVEDIR) == 0) continue;
    if (errno != ENOTDIR) return below.failed("rmdir", path);
    errno = why;
    return below.failed("unlink", path);
  }
  return {};
}

}  // namespace tsbuild
