// Key files, secret and public: somebody else's public key comes on a stick, and is shown, signed
// into a root and trusted from then on.
#include <nlohmann/json.hpp>

#include "fuzzer.hpp"
#include "trust/fingerprint.hpp"
#include "trust/json.hpp"
#include "trust/keys.hpp"
#include "trust/signing.hpp"

namespace {

using namespace shoal;

// What a file may ask of argon2id is bounded, but by what a person waits for, not a fuzzer.
bool key_is_cheap_to_open(ByteView bytes) {
  auto document = trust::parse_json(bytes, 4, "key");
  if (!document || !document->is_object()) return false;
  return document->value("kdf_memory_bytes", nlohmann::json()) == trust::kMinKdfCost.memory_bytes &&
         document->value("kdf_passes", nlohmann::json()) == trust::kMinKdfCost.passes;
}

}  // namespace

SHOAL_FUZZER(key_file) {
  const auto key = trust::parse_public_key_file(bytes);
  if (key) {
    fuzz::require(trust::key_id(*key).size() == 64, "every key has an id");
    fuzz::require(!trust::fingerprint_words(*key).empty(), "and words");
    const auto again = trust::parse_public_key_file(trust::format_public_key_file(*key));
    fuzz::require(again && again->value == key->value, "a key that was read is written the same");
    const auto checked = trust::check_signature(*key, as_bytes("message"), Bytes(64, 1));
    fuzz::require(checked.check == trust::SignatureCheck::bad, "no signature is forged");
  }
  const auto sealed = trust::key_file_is_sealed(bytes);
  if (!sealed || (*sealed && !key_is_cheap_to_open(bytes))) return;
  trust::KeyBox box("fuzz", trust::kMinKdfCost);
  const auto opened = box.open(bytes);
  if (!opened) return;
  fuzz::require(!key || opened->public_key().value == key->value,
                "what is shown of a key file is the key that it holds");
}
