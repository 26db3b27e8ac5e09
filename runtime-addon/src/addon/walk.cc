#include "walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <climits>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "below.h"
#include "directory-reader.h"
#include "scan-record.h"
#include "thread.h"

namespace tsbuild {

namespace {

/** With fewer directories waiting than this, one thread is done sooner than a second one starts. */
constexpr size_t kWaitingBeforeHelp = 16;

/** One directory's children, and where in their records the children's own children belong. */
struct Listing {
  std::string path;
  bool required;
  std::string records;
  struct Child {
    size_t after;
    std::unique_ptr<Listing> listing;
  };
  std::vector<Child> children;
};

bool read_target(const Place& place, std::string* target) {
  target->resize(PATH_MAX);
  ssize_t length = retry([&] { return readlinkat(place.parent, place.name, target->data(), target->size()); });
  if (length < 0) return false;
  target->resize(static_cast<size_t>(length));
  return true;
}

/** lstat(2), and the target of a symlink; false and errno on failure. */
bool read_status(const Place& place, struct stat* status, std::string* target) {
  constexpr int kMaxRaces = 64;
  for (int races = 0;; races++) {
    target->clear();
    if (fstatat(place.parent, place.name, status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (!S_ISLNK(status->st_mode) || read_target(place, target)) return true;
    // EINVAL: something else took the link's place between the two calls.
    if (errno != EINVAL || races == kMaxRaces) return false;
  }
}

/** What one thread needs to read directories. */
class Lister {
 public:
  Lister(const Below& root, WalkOptions options) : root_(root), options_(options), buffer_(new char[DirectoryReader::kBufferBytes]) {}

  Outcome list(Listing* listing) {
    Fd directory(root_.open(listing->path, O_RDONLY | O_DIRECTORY));
    if (!directory.valid()) {
      if (is_gone(errno, *listing)) return {};
      return root_.failed("open", listing->path);
    }
    arena_.clear();
    names_.clear();
    DirectoryReader reader(directory.get(), buffer_.get());
    DirectoryReader::Name name;
    while (reader.next(&name)) {
      names_.push_back(arena_.size());
      arena_.append(name.text.data(), name.text.size() + 1);
    }
    if (reader.error() != 0) {
      // The kernel reads no entry of a directory that was removed while it is open.
      if (is_gone(reader.error(), *listing)) return {};
      errno = reader.error();
      return root_.failed("scandir", listing->path);
    }
    std::sort(names_.begin(), names_.end(), [this](size_t a, size_t b) { return strcmp(&arena_[a], &arena_[b]) < 0; });
    path_ = listing->path;
    if (!path_.empty()) path_ += '/';
    size_t prefix = path_.size();
    for (size_t at : names_) {
      path_.resize(prefix);
      path_ += &arena_[at];
      if (path_.size() > options_.longest_path) {
        errno = ENAMETOOLONG;
        return root_.failed("lstat", path_);
      }
      if (Outcome failure = add(directory.get(), &arena_[at], listing)) return failure;
    }
    return {};
  }

 private:
  /** It went away, or something else took its place, after its parent was read: then it has no children. */
  static bool is_gone(int error, const Listing& listing) {
    return !listing.required && (error == ENOENT || error == ENOTDIR || error == ELOOP);
  }

  Outcome add(int directory, const char* name, Listing* listing) {
    struct stat status;
    Place place{directory, name};
    if (!read_status(place, &status, &target_)) {
      if (errno == ENOENT) return {};
      return root_.failed("lstat", path_);
    }
    xattrs_.clear();
    if (options_.xattrs && !read_xattrs(place.proc_path(), &xattrs_)) {
      if (errno == ENOENT) return {};
      return root_.failed("listxattr", path_);
    }
    append_record(&listing->records, path_, status, target_, xattrs_);
    if (options_.recursive && S_ISDIR(status.st_mode)) {
      listing->children.push_back({listing->records.size(), std::make_unique<Listing>(Listing{path_, false, {}, {}})});
    }
    return {};
  }

  const Below& root_;
  WalkOptions options_;
  std::unique_ptr<char[]> buffer_;
  std::string arena_;
  std::vector<size_t> names_;
  std::string path_;
  std::string target_;
  std::vector<Xattr> xattrs_;
};

/** The directories that wait to be read, shared by the threads that read them. */
class Queue {
 public:
  void push(Listing* listing) {
    for (auto child = listing->children.rbegin(); child != listing->children.rend(); ++child) waiting_.push_back(child->listing.get());
  }
  void push_one(Listing* listing) { waiting_.push_back(listing); }

  /** Reads until nothing waits and nobody reads, or something failed. */
  void drain(Lister* lister, bool may_call_help, const std::function<void()>& call_help) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return failure_ || !waiting_.empty() || reading_ == 0; });
      if (failure_ || waiting_.empty()) break;
      Listing* listing = waiting_.back();
      waiting_.pop_back();
      reading_++;
      lock.unlock();
      Outcome failure = lister->list(listing);
      lock.lock();
      reading_--;
      if (failure && !failure_) failure_ = std::move(failure);
      push(listing);
      if (waiting_.size() > 1 || reading_ == 0 || failure_) changed_.notify_all();
      if (may_call_help && waiting_.size() >= kWaitingBeforeHelp) {
        may_call_help = false;
        lock.unlock();
        call_help();
        lock.lock();
      }
    }
    changed_.notify_all();
  }

  Outcome take_failure() { return std::move(failure_); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Listing*> waiting_;
  unsigned reading_ = 0;
  Outcome failure_;
};

/** Joins the listings in depth-first order and frees them on the way. Not recursive: depth is the input's choice. */
void assemble(std::unique_ptr<Listing> top, std::string* records) {
  struct Frame {
    std::unique_ptr<Listing> listing;
    size_t child = 0;
    size_t copied = 0;
  };
  std::vector<Frame> stack;
  stack.push_back({std::move(top)});
  while (!stack.empty()) {
    Frame& frame = stack.back();
    Listing& listing = *frame.listing;
    bool more = frame.child < listing.children.size();
    size_t until = more ? listing.children[frame.child].after : listing.records.size();
    records->append(listing.records, frame.copied, until - frame.copied);
    frame.copied = until;
    if (more) {
      stack.push_back({std::move(listing.children[frame.child++].listing)});
    } else {
      stack.pop_back();
    }
  }
}

}  // namespace

Outcome walk(const std::string& root, const std::vector<std::string_view>& directories, WalkOptions options, std::string* records) {
  Below below;
  if (Outcome failure = below.open_root(root)) return failure;
  std::vector<std::unique_ptr<Listing>> tops;
  Queue queue;
  for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory) {
    tops.push_back(std::make_unique<Listing>(Listing{std::string(*directory), true, {}, {}}));
    queue.push_one(tops.back().get());
  }
  std::vector<Thread> helpers(options.threads - 1);
  Lister own(below, options);
  queue.drain(&own, true, [&] {
    for (Thread& helper : helpers) {
      bool started = helper.start([&] {
        Lister lister(below, options);
        queue.drain(&lister, false, [] {});
      });
      if (!started) break;
    }
  });
  for (Thread& helper : helpers) helper.join();
  if (Outcome failure = queue.take_failure()) return failure;
  while (!tops.empty()) {
    assemble(std::move(tops.back()), records);
    tops.pop_back();
  }
  return {};
}

Outcome stat_many(const std::string& root, const std::vector<std::string_view>& paths, bool xattrs, std::string* records) {
  Below below;
  if (Outcome failure = below.open_root(root)) return failure;
  // What is longer than any name can be is the name of nothing.
  auto is_missing = [] { return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG; };
  std::string target;
  std::vector<Xattr> found;
  for (std::string_view path : paths) {
    Place place;
    struct stat status;
    if (!below.find(path, &place) || !read_status(place, &status, &target)) {
      if (is_missing()) continue;
      return below.failed("lstat", path);
    }
    found.clear();
    if (xattrs && !read_xattrs(place.proc_path(), &found)) {
      if (is_missing()) continue;
      return below.failed("listxattr", path);
    }
    append_record(records, path, status, target, found);
  }
  return {};
}

}  // namespace tsbuild
