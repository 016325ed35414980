// SHA-256 (FIPS 180-4), in one go or streaming, through OpenSSL (which uses the processor's SHA
// instructions where it has them). Also SHA-1, for what BitTorrent v1 still needs.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace shoal {

// A 256-bit digest: of a piece, a file's merkle root, a bundle's name.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  bool is_zero() const { return *this == Digest{}; }
  std::string hex() const { return to_hex(bytes); }
  static std::optional<Digest> from_hex(std::string_view text);
  static std::optional<Digest> from_bytes(ByteView bytes);  // exactly 32
};

Digest sha256(ByteView bytes);
// The digest of the two digests one after the other: an inner node of a merkle tree.
Digest sha256_pair(const Digest& left, const Digest& right);

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(ByteView bytes);
  // Returns the digest and starts anew.
  Digest finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

using Sha1Digest = std::array<std::uint8_t, 20>;
Sha1Digest sha1(ByteView bytes);

}  // namespace shoal

template <>
struct std::hash<shoal::Digest> {
  std::size_t operator()(const shoal::Digest& digest) const noexcept {
    std::size_t value;  // a digest is already uniformly distributed
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
