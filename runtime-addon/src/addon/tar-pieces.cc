#include "tar-pieces.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "below.h"
#include "job.h"
#include "source-file.h"

namespace tsbuild {

namespace {

enum Kind { kBytes = 0, kFile = 1, kRange = 2 };
constexpr uint64_t kTarBlockBytes = 512;

/** A directory or a tar on the host, opened when first named. */
struct Host {
  Below root;
  Fd tar;
  bool opened = false;
};

class PieceWriter {
 public:
  PieceWriter(TarStream* stream, const std::vector<std::string>& names, const std::atomic<bool>& cancelled, std::string* digests)
      : stream_(stream), names_(names), cancelled_(cancelled), hosts_(names.size()), digests_(digests) {}

  /** The stream takes no more; its end() says why. */
  bool stopped() const { return stopped_; }

  Outcome write(MessageReader* pieces) {
    switch (pieces->number()) {
      case kBytes: {
        put(pieces->bytes());
        return pieces->intact() ? Outcome{} : malformed_message();
      }
      case kFile: {
        size_t host = pieces->size();
        uint64_t size = pieces->size();
        std::string_view path = pieces->text();
        if (!pieces->intact() || host >= hosts_.size()) return malformed_message();
        return write_file(host, path, size);
      }
      case kRange: {
        size_t host = pieces->size();
        uint64_t offset = pieces->size();
        uint64_t size = pieces->size();
        if (!pieces->intact() || host >= hosts_.size()) return malformed_message();
        return write_range(host, offset, size);
      }
      default:
        return malformed_message();
    }
  }

 private:
  void put(std::string_view bytes) {
    while (!bytes.empty()) {
      size_t available;
      char* room = stream_->room(&available);
      if (room == nullptr) {
        stopped_ = true;
        return;
      }
      size_t part = std::min(available, bytes.size());
      memcpy(room, bytes.data(), part);
      stream_->advance(part);
      bytes.remove_prefix(part);
    }
  }

  /** Copies `size` bytes that read(to, part) delivers, hashing them while they are in the CPU's cache. */
  template <class Read>
  Outcome copy(uint64_t size, Read read) {
    content_.reset();
    for (uint64_t left = size; left > 0;) {
      if (cancelled_) return Failure::system(ECANCELED, "write");
      size_t available;
      char* room = stream_->room(&available);
      if (room == nullptr) {
        stopped_ = true;
        return {};
      }
      size_t part = static_cast<size_t>(std::min<uint64_t>(available, left));
      if (Outcome failure = read(room, part)) return failure;
      content_.update(room, part);
      stream_->advance(part);
      left -= part;
    }
    DigestBytes digest = content_.finish();
    if (!content_.ok()) return Failure::system(ENOMEM, "EVP_DigestFinal");
    digests_->append(reinterpret_cast<const char*>(digest.data()), digest.size());
    static constexpr char kZeros[kTarBlockBytes] = {};
    put({kZeros, static_cast<size_t>((kTarBlockBytes - size % kTarBlockBytes) % kTarBlockBytes)});
    return {};
  }

  Outcome write_file(size_t index, std::string_view path, uint64_t size) {
    Host& host = hosts_[index];
    if (!host.opened) {
      if (Outcome failure = host.root.open_root(names_[index])) return failure;
      host.opened = true;
    }
    SourceFile file;
    if (Outcome failure = file.open(&host.root, path)) return failure;
    if (file.size() != size) {
      return Failure::changed(host.root.shown(path), "expected " + std::to_string(size) + " bytes, found " + std::to_string(file.size()));
    }
    if (Outcome failure = copy(size, [&](char* to, size_t part) { return file.read(to, part); })) return failure;
    return stopped_ ? Outcome{} : file.expect_end();
  }

  Outcome write_range(size_t index, uint64_t offset, uint64_t size) {
    Host& host = hosts_[index];
    const std::string& name = names_[index];
    if (!host.opened) {
      host.tar.reset(retry([&] { return open(name.c_str(), O_RDONLY | O_CLOEXEC); }));
      if (!host.tar.valid()) return Failure::system(errno, "open", name);
      host.opened = true;
    }
    return copy(size, [&](char* to, size_t part) {
      Outcome failure = read_range(host.tar.get(), name, to, part, offset);
      offset += part;
      return failure;
    });
  }

  TarStream* stream_;
  bool stopped_ = false;
  const std::vector<std::string>& names_;
  const std::atomic<bool>& cancelled_;
  std::vector<Host> hosts_;
  std::string* digests_;
  Sha256 content_;
};

}  // namespace

Outcome write_pieces(TarStream* stream, MessageReader pieces, const std::vector<std::string>& hosts,
                     const std::atomic<bool>& cancelled, std::string* digests) {
  PieceWriter writer(stream, hosts, cancelled, digests);
  while (!pieces.at_end()) {
    if (Outcome failure = writer.write(&pieces)) return failure;
    if (writer.stopped()) return {};
  }
  return pieces.intact() ? Outcome{} : malformed_message();
}

}  // namespace tsbuild
