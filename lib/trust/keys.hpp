// Public keys as metadata carries them, and the check of a signature. Ed25519 through libsodium,
// ECDSA P-256 and RSA-PSS (both with SHA-256, keys as PEM) through OpenSSL.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/sha256.hpp"

namespace shoal::trust {

struct PublicKey {
  std::string type;    // "ed25519", "ecdsa", "ecdsa-sha2-nistp256", "rsa"; others never verify
  std::string scheme;  // "ed25519", "ecdsa-sha2-nistp256", "rsassa-pss-sha256"
  std::string value;   // hexadecimal for Ed25519, otherwise PEM (SubjectPublicKeyInfo)
};

// TUF 4.2's key object. A type or scheme that is not known is no error: such a key never verifies.
// Errors: metadata_invalid.
Result<PublicKey> parse_public_key(const nlohmann::json& object);
nlohmann::json format_public_key(const PublicKey& key);
// The SHA-256 of the key object's canonical JSON, in hexadecimal.
std::string key_id(const PublicKey& key);

enum class SignatureCheck { good, bad };

// What a signature showed, and whose key it was: `material` is the same for two key objects that
// hold the same key, however they are named or written.
struct CheckedSignature {
  SignatureCheck check = SignatureCheck::bad;
  Digest material;
};
CheckedSignature check_signature(const PublicKey& key, ByteView message, ByteView signature);

}  // namespace shoal::trust
