#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace tsbuild {

constexpr size_t kDigestBytes = 32;
using DigestBytes = std::array<uint8_t, kDigestBytes>;

/** SHA-256 by the OpenSSL that Node itself carries. */
class Sha256 {
 public:
  Sha256() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) { reset(); }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256() {
    EVP_MD_CTX_free(context_);
    EVP_MD_free(algorithm_);
  }

  /** False when OpenSSL refused any step since construction: no digest of this object may be believed. */
  bool ok() const { return ok_; }
  void reset() { ok_ = ok_ && algorithm_ != nullptr && context_ != nullptr && EVP_DigestInit_ex2(context_, algorithm_, nullptr) == 1; }
  void update(const void* data, size_t size) { ok_ = ok_ && EVP_DigestUpdate(context_, data, size) == 1; }
  DigestBytes finish() {
    DigestBytes digest{};
    ok_ = ok_ && EVP_DigestFinal_ex(context_, digest.data(), nullptr) == 1;
    return digest;
  }

 private:
  EVP_MD* algorithm_;
  EVP_MD_CTX* context_;
  bool ok_ = true;
};

}  // namespace tsbuild
