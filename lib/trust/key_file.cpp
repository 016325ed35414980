// Key files: the 32-byte seed in JSON, either plain or sealed with XChaCha20-Poly1305 under a key
// that argon2id derives from the passphrase. The public key is authenticated along with the secret,
// so that neither can be swapped.
#include <fmt/core.h>
#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "trust/json.hpp"
#include "trust/signing.hpp"

namespace shoal::trust {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "shoal-key";
constexpr const char* kPublicFormat = "shoal-public-key";
constexpr int kFormatVersion = 1;
constexpr std::uint32_t kMaxDepth = 4;
constexpr std::uint64_t kMaxPasses = 64;               // a hostile file must not hang the program
constexpr std::uint64_t kMaxMemoryBytes = 2ULL << 30;  // nor eat the machine
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kSealedBytes =
    SigningKey::kSeedBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES;

std::unexpected<Error> invalid(std::string_view why) {
  return fail(ErrorKind::metadata_invalid, fmt::format("key file: {}", why));
}

Result<json> parse_file(ByteView file, bool public_too = false) {
  if (file.size() > kMaxKeyFileBytes)
    return fail(ErrorKind::too_large,
                fmt::format("key file: {} bytes, more than {}", file.size(), kMaxKeyFileBytes));
  SHOAL_ASSIGN(auto document, parse_json(file, kMaxDepth, "key file"));
  auto found = document.is_object() ? document.value("format", json()) : json();
  if (found == kPublicFormat && !public_too)
    return fail(ErrorKind::metadata_invalid, "key file: it holds a public key only",
                "Give the secret key's file.");
  if (found != kFormat && found != kPublicFormat)
    return invalid(fmt::format("its \"format\" is not \"{}\"", kFormat));
  if (document.value("format_version", json()) != kFormatVersion)
    return fail(ErrorKind::unsupported_version, "key file: its format version is not known");
  return document;
}

template <std::size_t size>
Result<std::array<std::uint8_t, size>> hex_member(const json& document, const char* name) {
  auto member = document.find(name);
  if (member != document.end() && member->is_string()) {
    auto bytes = from_hex(member->get_ref<const std::string&>());
    if (bytes && bytes->size() == size) {
      std::array<std::uint8_t, size> out;
      std::ranges::copy(*bytes, out.begin());
      sodium_memzero(bytes->data(), bytes->size());
      return out;
    }
  }
  return invalid(fmt::format("\"{}\" is missing or not {} bytes in hexadecimal", name, size));
}

Result<std::uint64_t> integer_member(const json& document, const char* name,
                                     std::uint64_t highest) {
  auto member = document.find(name);
  if (member == document.end() || !member->is_number_unsigned() ||
      member->get<std::uint64_t>() > highest || member->get<std::uint64_t>() == 0)
    return invalid(fmt::format("\"{}\" is missing or out of range", name));
  return member->get<std::uint64_t>();
}

json header(const SigningKey& key) {
  return {{"format", kFormat},
          {"format_version", kFormatVersion},
          {"keytype", "ed25519"},
          {"public", key.public_key().value}};
}

Bytes format(const json& document) { return to_bytes(document.dump(1) + "\n"); }

Result<SigningKey> check_public(SigningKey key, const json& document) {
  if (document.value("public", json()) != key.public_key().value)
    return invalid("its public key does not belong to its secret");
  return key;
}

}  // namespace

KeyBox::KeyBox(std::string passphrase, KdfCost cost)
    : passphrase_(std::move(passphrase)), cost_(cost) {}

KeyBox::~KeyBox() {
  sodium_memzero(passphrase_.data(), passphrase_.size());
  sodium_memzero(key_.data(), key_.size());
}

Result<void> KeyBox::derive(const Salt& salt, KdfCost cost) {
  static_assert(kSaltBytes == crypto_pwhash_SALTBYTES &&
                kKeyBytes == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
  if (derived_ && salt == salt_ && cost.passes == derived_cost_.passes &&
      cost.memory_bytes == derived_cost_.memory_bytes)
    return {};
  derived_ = false;
  if (sodium_init() < 0 ||
      crypto_pwhash(key_.data(), key_.size(), passphrase_.data(), passphrase_.size(), salt.data(),
                    cost.passes, cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(ErrorKind::internal,
                fmt::format("derive a key from the passphrase: argon2id could not get its {} MiB",
                            cost.memory_bytes >> 20),
                "Free some memory and try again.");
  derived_ = true;
  salt_ = salt;
  derived_cost_ = cost;
  return {};
}

Result<Bytes> KeyBox::seal(const SigningKey& key) {
  if (!derived_) {
    Salt salt;
    randombytes_buf(salt.data(), salt.size());
    SHOAL_TRY(derive(salt, cost_));
  }
  std::array<std::uint8_t, kNonceBytes> nonce;
  randombytes_buf(nonce.data(), nonce.size());
  std::array<std::uint8_t, kSealedBytes> sealed;
  auto seed = key.seed();
  const std::string& authenticated = key.public_key().value;
  crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.data(), nullptr, seed.data(), seed.size(),
                                             as_bytes(authenticated).data(), authenticated.size(),
                                             nullptr, nonce.data(), key_.data());
  sodium_memzero(seed.data(), seed.size());
  json document = header(key);
  document["kdf"] = "argon2id";
  document["kdf_passes"] = derived_cost_.passes;
  document["kdf_memory_bytes"] = derived_cost_.memory_bytes;
  document["kdf_salt"] = to_hex(salt_);
  document["cipher"] = "xchacha20-poly1305";
  document["nonce"] = to_hex(nonce);
  document["secret"] = to_hex(sealed);
  return format(document);
}

Result<SigningKey> KeyBox::open(ByteView file) {
  SHOAL_ASSIGN(auto document, parse_file(file));
  SHOAL_ASSIGN(bool sealed, key_file_is_sealed(file));
  if (!sealed) {
    SHOAL_ASSIGN(auto seed, hex_member<SigningKey::kSeedBytes>(document, "secret"));
    auto key = SigningKey::from_seed(seed);
    sodium_memzero(seed.data(), seed.size());
    return check_public(std::move(key), document);
  }
  KdfCost cost;
  SHOAL_ASSIGN(cost.passes, integer_member(document, "kdf_passes", kMaxPasses));
  SHOAL_ASSIGN(cost.memory_bytes, integer_member(document, "kdf_memory_bytes", kMaxMemoryBytes));
  SHOAL_ASSIGN(auto salt, hex_member<kSaltBytes>(document, "kdf_salt"));
  SHOAL_ASSIGN(auto nonce, hex_member<kNonceBytes>(document, "nonce"));
  SHOAL_ASSIGN(auto secret, hex_member<kSealedBytes>(document, "secret"));
  SHOAL_ASSIGN(auto point, hex_member<crypto_sign_PUBLICKEYBYTES>(document, "public"));
  SHOAL_TRY(derive(salt, cost));
  SigningKey::Seed seed;
  std::string authenticated = to_hex(point);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          seed.data(), nullptr, nullptr, secret.data(), secret.size(),
          as_bytes(authenticated).data(), authenticated.size(), nonce.data(), key_.data()) != 0)
    return fail(ErrorKind::wrong_passphrase,
                "open the key file: the passphrase is not the right one");
  auto key = SigningKey::from_seed(seed);
  sodium_memzero(seed.data(), seed.size());
  return check_public(std::move(key), document);
}

Bytes format_plain_key_file(const SigningKey& key) {
  json document = header(key);
  document["kdf"] = "none";
  auto seed = key.seed();
  document["secret"] = to_hex(seed);
  sodium_memzero(seed.data(), seed.size());
  return format(document);
}

Bytes format_public_key_file(const PublicKey& key) {
  return format({{"format", kPublicFormat},
                 {"format_version", kFormatVersion},
                 {"keytype", key.type},
                 {"public", key.value}});
}

Result<PublicKey> parse_public_key_file(ByteView file) {
  SHOAL_ASSIGN(auto document, parse_file(file, true));
  if (document.value("keytype", json()) != "ed25519")
    return fail(ErrorKind::unsupported_version, "key file: its key type is not known");
  SHOAL_ASSIGN(auto point, hex_member<crypto_sign_PUBLICKEYBYTES>(document, "public"));
  // A point of small order would verify signatures that nobody made.
  if (sodium_init() < 0 || crypto_core_ed25519_is_valid_point(point.data()) != 1)
    return invalid("\"public\" is no public key of Ed25519");
  return PublicKey{"ed25519", "ed25519", to_hex(point)};
}

Result<bool> key_file_is_sealed(ByteView file) {
  SHOAL_ASSIGN(auto document, parse_file(file));
  auto kdf = document.value("kdf", json());
  if (kdf == "none") return false;
  if (kdf == "argon2id" && document.value("cipher", json()) == "xchacha20-poly1305") return true;
  return fail(ErrorKind::unsupported_version, "key file: it is sealed in a way that is not known");
}

}  // namespace shoal::trust
