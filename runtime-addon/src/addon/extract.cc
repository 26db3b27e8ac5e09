#include "extract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "extract-entry.h"
#include "first-failure.h"
#include "job.h"
#include "source-file.h"
#include "thread.h"

namespace tsbuild {

namespace {

constexpr size_t kBufferBytes = 256 * 1024;
constexpr size_t kHoleBytes = 64 * 1024;
/** Neighbours that one thread makes: they share a parent directory. */
constexpr size_t kEntriesAtOnce = 64;
/** One more thread is not worth its start for fewer. */
constexpr size_t kEntriesForThread = 128;
/** Directories and files belong to us alone until they are complete. */
constexpr mode_t kPrivateDirectory = 0700;
constexpr mode_t kPrivateFile = 0600;

bool is_zero(const char* bytes, size_t size) { return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0; }

class Extractor {
 public:
  Outcome open(const std::string& root, const std::string& tar) {
    if (Outcome failure = root_.open_root(root)) return failure;
    tar_path_ = tar;
    tar_.reset(retry([&] { return ::open(tar.c_str(), O_RDONLY | O_CLOEXEC); }));
    if (!tar_.valid()) return Failure::system(errno, "open", tar);
    return {};
  }

  Outcome make_directory(const ExtractEntry& entry) {
    if (entry.path.empty()) return {};
    Place place;
    if (!root_.find(entry.path, &place)) return root_.failed("open", entry.path);
    if (mkdirat(place.parent, place.name, kPrivateDirectory) == 0) return {};
    if (errno != EEXIST) return root_.failed("mkdir", entry.path);
    struct stat status;
    if (fstatat(place.parent, place.name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)) return {};
    return Failure::system(EEXIST, "mkdir", root_.shown(entry.path));
  }

  /** Last of all: a child changes the directory's time, and its mode may forbid children. */
  Outcome finish_directory(const ExtractEntry& entry) {
    Place place;
    if (!root_.find(entry.path, &place)) return root_.failed("open", entry.path);
    if (entry.kind == EntryKind::kDirectory) return set_attributes(root_, entry.path, place, entry.attributes, false);
    if (lsetxattr(place.proc_path().c_str(), "user.overlay.opaque", "y", 1, 0) != 0) return root_.failed("lsetxattr", entry.path);
    return {};
  }

  Outcome make_leaf(const ExtractEntry& entry) {
    Place place;
    if (!root_.find(entry.path, &place)) return root_.failed("open", entry.path);
    switch (entry.kind) {
      case EntryKind::kFile:
        return make_file(entry, place);
      case EntryKind::kSymlink: {
        std::string target(entry.target);
        if (symlinkat(target.c_str(), place.parent, place.name) != 0) return root_.failed("symlink", entry.path);
        return set_attributes(root_, entry.path, place, entry.attributes, true);
      }
      case EntryKind::kWhiteout:
        if (mknodat(place.parent, place.name, S_IFCHR, makedev(0, 0)) != 0) return root_.failed("mknod", entry.path);
        return {};
      case EntryKind::kChar:
        return make_node(entry, place, S_IFCHR);
      case EntryKind::kBlock:
        return make_node(entry, place, S_IFBLK);
      case EntryKind::kFifo:
        return make_node(entry, place, S_IFIFO);
      default:
        return malformed_message();
    }
  }

  Outcome make_hardlink(const ExtractEntry& entry) {
    Place from;
    Place to;
    if (!targets_opened_) {
      if (Outcome failure = targets_.open_root(root_.shown(""))) return failure;
      targets_opened_ = true;
    }
    if (!targets_.find(entry.target, &from)) return targets_.failed("open", entry.target);
    if (!root_.find(entry.path, &to)) return root_.failed("open", entry.path);
    if (linkat(from.parent, from.name, to.parent, to.name, 0) != 0) {
      int error = errno;
      return Failure::system(error, "link", root_.shown(entry.target), root_.shown(entry.path));
    }
    return {};
  }

 private:
  Outcome make_node(const ExtractEntry& entry, const Place& place, mode_t type) {
    // Overlay takes char 0:0 for a whiteout: as a device it would delete what is below.
    if (type == S_IFCHR && entry.major == 0 && entry.minor == 0) return Failure::system(EPERM, "mknod", root_.shown(entry.path));
    if (mknodat(place.parent, place.name, type | kPrivateFile, makedev(entry.major, entry.minor)) != 0) {
      return root_.failed("mknod", entry.path);
    }
    return set_attributes(root_, entry.path, place, entry.attributes, false);
  }

  Outcome make_file(const ExtractEntry& entry, const Place& place) {
    Fd file(retry([&] { return openat(place.parent, place.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivateFile); }));
    if (!file.valid()) return root_.failed("open", entry.path);
    if (Outcome failure = copy_content(entry, file.get())) return failure;
    if (Outcome failure = set_attributes(root_, entry.path, file.get(), entry.attributes)) return failure;
    if (::close(file.release()) != 0 && errno != EINTR) return root_.failed("close", entry.path);
    return {};
  }

  Outcome copy_content(const ExtractEntry& entry, int file) {
    bool ends_in_hole = false;
    for (uint64_t done = 0; done < entry.size;) {
      size_t part = static_cast<size_t>(std::min<uint64_t>(entry.size - done, kBufferBytes));
      if (Outcome failure = read_range(tar_.get(), tar_path_, buffer_.get(), part, entry.offset + done)) return failure;
      for (size_t at = 0; at < part;) {
        size_t block = std::min(part - at, kHoleBytes);
        ends_in_hole = block == kHoleBytes && is_zero(buffer_.get() + at, block);
        if (!ends_in_hole) {
          // Neighbouring blocks of data go out in one write.
          while (at + block < part) {
            size_t next = std::min(part - at - block, kHoleBytes);
            if (next == kHoleBytes && is_zero(buffer_.get() + at + block, next)) break;
            block += next;
          }
          if (Outcome failure = write_at(entry, file, buffer_.get() + at, block, done + at)) return failure;
        }
        at += block;
      }
      done += part;
    }
    if (ends_in_hole && ftruncate(file, static_cast<off_t>(entry.size)) != 0) return root_.failed("ftruncate", entry.path);
    return {};
  }

  Outcome write_at(const ExtractEntry& entry, int file, const char* from, size_t size, uint64_t offset) {
    while (size > 0) {
      ssize_t put = retry([&] { return pwrite(file, from, size, static_cast<off_t>(offset)); });
      if (put < 0) return root_.failed("write", entry.path);
      from += put;
      offset += static_cast<uint64_t>(put);
      size -= static_cast<size_t>(put);
    }
    return {};
  }

  Below root_;
  /** Hard links look at two directories in turn: each keeps its own one open. */
  Below targets_;
  bool targets_opened_ = false;
  std::string tar_path_;
  Fd tar_;
  std::unique_ptr<char[]> buffer_{new char[kBufferBytes]};
};

struct Sorted {
  std::vector<ExtractEntry> directories;
  std::vector<ExtractEntry> leaves;
  std::vector<ExtractEntry> hardlinks;
};

Outcome make_leaves(const std::string& root, const std::string& tar, Extractor* own, const std::vector<ExtractEntry>& leaves, unsigned threads) {
  FirstFailure first;
  std::atomic<size_t> next{0};
  unsigned workers = static_cast<unsigned>(std::clamp<size_t>(leaves.size() / kEntriesForThread, 1, threads));
  run_parallel(workers, [&](unsigned worker) {
    Extractor other;
    Extractor* extractor = worker == 0 ? own : &other;
    if (worker != 0) {
      if (Outcome failure = other.open(root, tar)) return first.add(0, std::move(*failure));
    }
    while (!first.any()) {
      size_t from = next.fetch_add(kEntriesAtOnce);
      if (from >= leaves.size()) return;
      for (size_t i = from; i < std::min(from + kEntriesAtOnce, leaves.size()); i++) {
        if (Outcome failure = extractor->make_leaf(leaves[i])) return first.add(i, std::move(*failure));
      }
    }
  });
  return first.take();
}

}  // namespace

Outcome extract(const std::string& root, const std::string& tar, MessageReader entries, bool owners, unsigned threads) {
  Extractor extractor;
  if (Outcome failure = extractor.open(root, tar)) return failure;
  Sorted sorted;
  while (!entries.at_end()) {
    ExtractEntry entry = read_entry(&entries, owners);
    if (!entries.intact()) break;
    bool is_directory = entry.kind == EntryKind::kDirectory || entry.kind == EntryKind::kOpaque;
    auto& kind = is_directory ? sorted.directories : entry.kind == EntryKind::kHardlink ? sorted.hardlinks : sorted.leaves;
    kind.push_back(std::move(entry));
  }
  if (!entries.intact()) return malformed_message();

  for (const ExtractEntry& directory : sorted.directories) {
    if (directory.kind != EntryKind::kDirectory) continue;
    if (Outcome failure = extractor.make_directory(directory)) return failure;
  }
  if (Outcome failure = make_leaves(root, tar, &extractor, sorted.leaves, threads)) return failure;
  for (const ExtractEntry& link : sorted.hardlinks) {
    if (Outcome failure = extractor.make_hardlink(link)) return failure;
  }
  for (auto directory = sorted.directories.rbegin(); directory != sorted.directories.rend(); ++directory) {
    if (Outcome failure = extractor.finish_directory(*directory)) return failure;
  }
  return {};
}

}  // namespace tsbuild
