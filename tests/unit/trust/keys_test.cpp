// Signatures of the kinds that other publishers use, made here with OpenSSL.
#include "trust/keys.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>

namespace shoal::trust {
namespace {

template <auto function>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

std::string pem_of(EVP_PKEY* key) {
  std::unique_ptr<BIO, Deleter<BIO_free_all>> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), key);
  char* text = nullptr;
  auto length = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<std::size_t>(length));
}

Bytes sign(EVP_PKEY* key, std::string_view message, bool pss) {
  std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  EVP_DigestSignInit(context.get(), &options, EVP_sha256(), nullptr, key);
  if (pss) {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  std::size_t length = 0;
  auto bytes = as_bytes(message);
  EVP_DigestSign(context.get(), nullptr, &length, bytes.data(), bytes.size());
  Bytes signature(length);
  EVP_DigestSign(context.get(), signature.data(), &length, bytes.data(), bytes.size());
  signature.resize(length);
  return signature;
}

bool good(const PublicKey& key, std::string_view message, const Bytes& signature) {
  return check_signature(key, as_bytes(message), signature).check == SignatureCheck::good;
}

TEST(PublicKey, EcdsaP256UnderBothOfItsTypeNames) {
  Pkey key(EVP_EC_gen("P-256"));
  auto signature = sign(key.get(), "message", false);
  for (auto type : {"ecdsa", "ecdsa-sha2-nistp256"}) {
    PublicKey publisher{type, "ecdsa-sha2-nistp256", pem_of(key.get())};
    EXPECT_TRUE(good(publisher, "message", signature));
    EXPECT_FALSE(good(publisher, "massage", signature));
    EXPECT_FALSE(good(publisher, "message", {}));
  }
}

TEST(PublicKey, OtherCurvesAreRefused) {
  Pkey key(EVP_EC_gen("P-384"));
  PublicKey publisher{"ecdsa", "ecdsa-sha2-nistp256", pem_of(key.get())};
  EXPECT_FALSE(good(publisher, "message", sign(key.get(), "message", false)));
}

TEST(PublicKey, RsaPssButNotPkcs1NorShortKeys) {
  Pkey key(EVP_RSA_gen(2048)), weak(EVP_RSA_gen(1024));
  PublicKey publisher{"rsa", "rsassa-pss-sha256", pem_of(key.get())};
  EXPECT_TRUE(good(publisher, "message", sign(key.get(), "message", true)));
  EXPECT_FALSE(good(publisher, "massage", sign(key.get(), "message", true)));
  EXPECT_FALSE(good(publisher, "message", sign(key.get(), "message", false)));
  PublicKey short_key{"rsa", "rsassa-pss-sha256", pem_of(weak.get())};
  EXPECT_FALSE(good(short_key, "message", sign(weak.get(), "message", true)));
}

TEST(PublicKey, AKeyOfOneKindIsNotUsedAsAnother) {
  Pkey ec(EVP_EC_gen("P-256")), rsa(EVP_RSA_gen(2048));
  PublicKey ec_as_rsa{"rsa", "rsassa-pss-sha256", pem_of(ec.get())};
  PublicKey rsa_as_ec{"ecdsa", "ecdsa-sha2-nistp256", pem_of(rsa.get())};
  EXPECT_FALSE(good(ec_as_rsa, "message", sign(ec.get(), "message", false)));
  EXPECT_FALSE(good(rsa_as_ec, "message", sign(rsa.get(), "message", false)));
}

TEST(PublicKey, TheSameKeyWrittenDifferentlyIsTheSameMaterial) {
  Pkey key(EVP_EC_gen("P-256"));
  auto signature = sign(key.get(), "message", false);
  PublicKey one{"ecdsa", "ecdsa-sha2-nistp256", pem_of(key.get())};
  PublicKey other{"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "comment\n" + pem_of(key.get())};
  auto first = check_signature(one, as_bytes("message"), signature);
  auto second = check_signature(other, as_bytes("message"), signature);
  EXPECT_EQ(second.check, SignatureCheck::good);
  EXPECT_EQ(first.material, second.material);
  EXPECT_NE(key_id(one), key_id(other));
}

TEST(PublicKey, AKeyWrittenInAnotherWayIsTheSameMaterial) {
  Pkey key(EVP_EC_gen("P-256"));
  auto signature = sign(key.get(), "message", false);
  PublicKey plain{"ecdsa", "ecdsa-sha2-nistp256", pem_of(key.get())};
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                 "compressed");
  PublicKey compressed{"ecdsa", "ecdsa-sha2-nistp256", pem_of(key.get())};
  ASSERT_NE(plain.value, compressed.value);
  auto first = check_signature(plain, as_bytes("message"), signature);
  auto second = check_signature(compressed, as_bytes("message"), signature);
  ASSERT_EQ(first.check, SignatureCheck::good);
  ASSERT_EQ(second.check, SignatureCheck::good);
  EXPECT_EQ(first.material, second.material);
}

}  // namespace
}  // namespace shoal::trust
