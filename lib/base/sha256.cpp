// SHA-256 over OpenSSL's EVP. One-shot calls keep one context per thread: fetching the algorithm
// and allocating a context costs more than hashing a merkle node.
#include "base/sha256.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cassert>

namespace shoal {

std::optional<Digest> Digest::from_bytes(ByteView bytes) {
  Digest digest;
  if (bytes.size() != digest.bytes.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

std::optional<Digest> Digest::from_hex(std::string_view text) {
  auto bytes = shoal::from_hex(text);
  if (!bytes) return std::nullopt;
  return from_bytes(*bytes);
}

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Impl() { start(); }
  ~Impl() { EVP_MD_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  void start() {
    // Fetched once for the process: an implicit fetch per digest would take a global lock.
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    [[maybe_unused]] int ok = EVP_DigestInit_ex2(context, algorithm, nullptr);
    assert(ok == 1);
  }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView bytes) {
  EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  EVP_DigestFinal_ex(impl_->context, digest.bytes.data(), nullptr);
  impl_->start();
  return digest;
}

Digest sha256(ByteView bytes) {
  thread_local Sha256 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

Digest sha256_pair(const Digest& left, const Digest& right) {
  std::array<std::uint8_t, 64> both;
  std::copy(left.bytes.begin(), left.bytes.end(), both.begin());
  std::copy(right.bytes.begin(), right.bytes.end(), both.begin() + 32);
  return sha256(both);
}

Sha1Digest sha1(ByteView bytes) {
  Sha1Digest digest{};
  SHA1(bytes.data(), bytes.size(), digest.data());
  return digest;
}

}  // namespace shoal
