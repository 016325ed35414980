// One function per kind of key, each from text to a verdict: a key that cannot be read verifies
// nothing. Material is a SHA-256 of the numbers that make the key, so that a threshold counts keys
// and neither their names nor the ways to write them.
#include "trust/keys.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sodium.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "trust/json.hpp"

namespace shoal::trust {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxKeyText = 8 << 10;  // a PEM of RSA with 16,384 bits has 2,900 bytes
constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 16'384;  // beyond: slow verification as an attack

template <auto function>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
using PkeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using MdContextPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

PkeyPtr read_pem(const std::string& pem) {
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) return {};
  // The empty password keeps OpenSSL from asking a terminal.
  return PkeyPtr(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, const_cast<char*>("")));
}

// The numbers that make a key, so that another way to write it (a compressed point, another
// exponent beside the same modulus) is the same key.
Digest number_digest(EVP_PKEY* key, std::initializer_list<const char*> names) {
  Sha256 hasher;
  for (const char* name : names) {
    BIGNUM* number = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return {};
    Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number)));
    BN_bn2bin(number, bytes.data());
    BN_free(number);
    hasher.update(sha256(bytes).bytes);
  }
  return hasher.finish();
}

bool is_p256(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return false;
  char group[64];
  std::size_t length = 0;
  return EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
         std::string_view(group, length) == "prime256v1";
}

bool is_usable_rsa(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return false;
  int bits = EVP_PKEY_get_bits(key);
  return bits >= kMinRsaBits && bits <= kMaxRsaBits;
}

bool verifies(EVP_PKEY* key, bool pss, ByteView message, ByteView signature) {
  MdContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // owned by the context
  if (!context || EVP_DigestVerifyInit(context.get(), &options, EVP_sha256(), nullptr, key) != 1)
    return false;
  if (pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
              EVP_PKEY_CTX_set_rsa_mgf1_md(options, EVP_sha256()) != 1 ||
              EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_AUTO) != 1))
    return false;
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

CheckedSignature check_ed25519(const PublicKey& key, ByteView message, ByteView signature) {
  auto point = from_hex(key.value);
  if (!point || point->size() != crypto_sign_PUBLICKEYBYTES ||
      signature.size() != crypto_sign_BYTES || sodium_init() < 0)
    return {};
  bool good = crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                          point->data()) == 0;
  return {good ? SignatureCheck::good : SignatureCheck::bad, sha256(*point)};
}

CheckedSignature check_pem(const PublicKey& key, bool rsa, ByteView message, ByteView signature) {
  if (key.value.size() > kMaxKeyText) return {};
  PkeyPtr parsed = read_pem(key.value);
  if (!parsed || !(rsa ? is_usable_rsa(parsed.get()) : is_p256(parsed.get()))) return {};
  bool good = verifies(parsed.get(), rsa, message, signature);
  Digest material =
      rsa ? number_digest(parsed.get(), {OSSL_PKEY_PARAM_RSA_N})
          : number_digest(parsed.get(), {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y});
  return {good ? SignatureCheck::good : SignatureCheck::bad, material};
}

}  // namespace

Result<PublicKey> parse_public_key(const json& object) {
  auto text = [](const json& from, const char* name) -> const std::string* {
    auto member = from.find(name);
    return member != from.end() ? member->get_ptr<const std::string*>() : nullptr;
  };
  if (object.is_object()) {
    auto value = object.find("keyval");
    const auto* type = text(object, "keytype");
    const auto* scheme = text(object, "scheme");
    if (type && scheme && value != object.end() && value->is_object()) {
      // Keys of unknown types may keep what they need elsewhere in keyval.
      const auto* material = text(*value, "public");
      return PublicKey{*type, *scheme, material ? *material : ""};
    }
  }
  return fail(ErrorKind::metadata_invalid,
              "a key lacks its keytype, its scheme or its keyval (TUF 4.2)");
}

json format_public_key(const PublicKey& key) {
  return {{"keytype", key.type}, {"scheme", key.scheme}, {"keyval", {{"public", key.value}}}};
}

std::string key_id(const PublicKey& key) {
  auto text = canonical_json(format_public_key(key));
  return sha256(as_bytes(*text)).hex();  // three strings: there is always a canonical form
}

CheckedSignature check_signature(const PublicKey& key, ByteView message, ByteView signature) {
  if (key.type == "ed25519" && key.scheme == "ed25519")
    return check_ed25519(key, message, signature);
  if ((key.type == "ecdsa" || key.type == "ecdsa-sha2-nistp256") &&
      key.scheme == "ecdsa-sha2-nistp256")
    return check_pem(key, false, message, signature);
  if (key.type == "rsa" && key.scheme == "rsassa-pss-sha256")
    return check_pem(key, true, message, signature);
  return {};
}

}  // namespace shoal::trust
