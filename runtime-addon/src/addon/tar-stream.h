#pragma once

#include <string>

#include "../fd.h"
#include "chunk-ring.h"
#include "failure.h"
#include "sha256.h"

namespace tsbuild {

/** Writes a file through a ring of chunks: the caller fills them, one thread hashes and one writes. */
class TarStream {
 public:
  TarStream();

  /** Creates the file, which must not exist, with mode 0644 whatever the umask. */
  Outcome create(const std::string& path);

  /** Where the next bytes go, at least one of them. Null when writing has failed; end() says how. */
  char* room(size_t* available) { return ring_.room(available); }
  /** Takes `size` bytes that were put at room(). */
  void advance(size_t size);
  /** Waits until all is hashed and written, and ends the threads. */
  Outcome end();

  /** Closes the file; the digest is that of all its bytes. */
  Outcome close(bool sync, DigestBytes* digest);
  /** Closes and removes the file. */
  Outcome abandon();
  bool is_open() const { return file_.valid(); }
  uint64_t size() const { return size_; }

 private:
  bool write_chunk(const char* bytes, size_t size);

  std::string path_;
  Fd file_;
  Sha256 sha256_;
  uint64_t size_ = 0;
  /** Set by whichever thread writes, read when that has ended. */
  Outcome failure_;
  ChunkRing ring_;
};

}  // namespace tsbuild
