#include "hash-many.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>

#include "first-failure.h"
#include "sha256.h"
#include "source-file.h"
#include "thread.h"

namespace tsbuild {

namespace {

constexpr size_t kBufferBytes = 256 * 1024;
/** Files that a thread takes at once: neighbours, so that their parent directory stays open. */
constexpr size_t kFilesAtOnce = 32;

Outcome hash_one(Below* root, std::string_view path, char* buffer, Sha256* sha256, char* digest) {
  SourceFile file;
  if (Outcome failure = file.open(root, path)) return failure;
  sha256->reset();
  for (uint64_t left = file.size(); left > 0;) {
    size_t part = static_cast<size_t>(std::min<uint64_t>(left, kBufferBytes));
    if (Outcome failure = file.read(buffer, part)) return failure;
    sha256->update(buffer, part);
    left -= part;
  }
  if (Outcome failure = file.expect_end()) return failure;
  DigestBytes bytes = sha256->finish();
  if (!sha256->ok()) return Failure::system(ENOMEM, "EVP_DigestFinal");
  memcpy(digest, bytes.data(), bytes.size());
  return {};
}

}  // namespace

Outcome hash_many(const std::string& root, const std::vector<std::string_view>& paths, unsigned threads, std::string* digests) {
  digests->resize(paths.size() * kDigestBytes);
  std::atomic<size_t> next{0};
  FirstFailure first;
  // Few files may still be large: then one of them at a time.
  size_t at_once = paths.size() < kFilesAtOnce * threads ? 1 : kFilesAtOnce;
  size_t pieces = (paths.size() + at_once - 1) / at_once;
  run_parallel(static_cast<unsigned>(std::min<size_t>(threads, pieces)), [&](unsigned) {
    Below below;
    if (Outcome failure = below.open_root(root)) return first.add(0, std::move(*failure));
    auto buffer = std::make_unique<char[]>(kBufferBytes);
    Sha256 sha256;
    while (!first.any()) {
      size_t from = next.fetch_add(at_once);
      if (from >= paths.size()) return;
      for (size_t i = from; i < std::min(from + at_once, paths.size()); i++) {
        Outcome failure = hash_one(&below, paths[i], buffer.get(), &sha256, digests->data() + i * kDigestBytes);
        if (failure) return first.add(i, std::move(*failure));
      }
    }
  });
  return first.take();
}

}  // namespace tsbuild
