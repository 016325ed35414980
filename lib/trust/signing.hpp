// The publisher's side: secret keys, their files, and signed metadata from the same values that the
// parsers give. Key file format: docs/formats/keys.md.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "trust/keys.hpp"
#include "trust/metadata.hpp"

namespace shoal::trust {

// An Ed25519 key pair; the secret is wiped from memory with the object.
class SigningKey {
 public:
  static constexpr std::size_t kSeedBytes = 32;
  using Seed = std::array<std::uint8_t, kSeedBytes>;

  static SigningKey generate();
  static SigningKey from_seed(const Seed& seed);
  SigningKey(const SigningKey&) = default;
  SigningKey& operator=(const SigningKey&) = default;
  ~SigningKey();

  const PublicKey& public_key() const { return public_key_; }
  const std::string& id() const { return id_; }
  Bytes sign(ByteView message) const;
  Seed seed() const;  // to be kept in a key file; the caller wipes it

 private:
  SigningKey() = default;
  std::array<std::uint8_t, 64> secret_{};
  PublicKey public_key_;
  std::string id_;
};

// What deriving a key from a passphrase costs (argon2id): passes over the memory, and its size.
struct KdfCost {
  std::uint64_t passes = 3;
  std::uint64_t memory_bytes = 256ULL << 20;  // libsodium's "moderate"
};
inline constexpr KdfCost kMinKdfCost{1, 8 << 10};  // tests only: what libsodium allows

inline constexpr std::uint64_t kMaxKeyFileBytes = 16 << 10;

// Seals and opens key files under one passphrase. The derived key is kept, so that several files
// sealed together cost one derivation.
class KeyBox {
 public:
  explicit KeyBox(std::string passphrase, KdfCost cost = {});
  ~KeyBox();
  KeyBox(const KeyBox&) = delete;
  KeyBox& operator=(const KeyBox&) = delete;

  // Errors: internal (not enough memory for the derivation).
  Result<Bytes> seal(const SigningKey& key);
  // Errors: wrong_passphrase, metadata_invalid, unsupported_version, too_large.
  Result<SigningKey> open(ByteView file);

 private:
  static constexpr std::size_t kSaltBytes = 16;
  static constexpr std::size_t kKeyBytes = 32;
  using Salt = std::array<std::uint8_t, kSaltBytes>;
  Result<void> derive(const Salt& salt, KdfCost cost);

  std::string passphrase_;
  KdfCost cost_;
  bool derived_ = false;
  Salt salt_{};
  KdfCost derived_cost_;
  std::array<std::uint8_t, kKeyBytes> key_{};
};

// A key file that anyone who can read it can use.
Bytes format_plain_key_file(const SigningKey& key);
// The public half, to be handed around: what a proposal adds as a key.
Bytes format_public_key_file(const PublicKey& key);
// The public key in such a file, or in a secret key's file (whose public part needs no passphrase).
// Errors: metadata_invalid, unsupported_version, too_large.
Result<PublicKey> parse_public_key_file(ByteView file);
// Whether KeyBox::open needs the right passphrase. Errors: metadata_invalid, unsupported_version.
Result<bool> key_file_is_sealed(ByteView file);

// Signed files, in canonical JSON, by every key given. Errors: none but bugs.
using Signers = std::span<const SigningKey* const>;
Bytes sign_root(const Root& root, Signers signers);
Bytes sign_timestamp(const Timestamp& timestamp, Signers signers);
Bytes sign_snapshot(const Snapshot& snapshot, Signers signers);
Bytes sign_targets(const Targets& targets, Signers signers);

// The bytes that signatures cover: the canonical form of the "signed" part.
std::string signed_bytes_of(const Root& root);
std::string signed_bytes_of(const Timestamp& timestamp);
std::string signed_bytes_of(const Snapshot& snapshot);
std::string signed_bytes_of(const Targets& targets);
Signature sign_bytes(const SigningKey& key, std::string_view signed_bytes);
// The file: signatures that may have been made in different places, and what they cover.
Bytes join_signatures(std::string_view signed_bytes, const std::vector<Signature>& signatures);

// The entry for a file of those bytes: length and SHA-256.
FileMeta describe_metadata(ByteView bytes, std::uint64_t version);
TargetMeta describe_target(ByteView bytes);

}  // namespace shoal::trust
