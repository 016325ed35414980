// A key out of metadata, whose text goes into OpenSSL's and libsodium's readers.
#include <nlohmann/json.hpp>

#include "fuzzer.hpp"
#include "trust/json.hpp"
#include "trust/keys.hpp"

SHOAL_FUZZER(public_key) {
  using namespace shoal;
  auto object = trust::parse_json(bytes, 8, "key");
  if (!object) return;
  auto key = trust::parse_public_key(*object);
  if (!key) return;
  fuzz::require(trust::key_id(*key).size() == 64, "every key has an id");
  const Bytes signature(64, 1);
  auto checked = trust::check_signature(*key, as_bytes("message"), signature);
  fuzz::require(checked.check == trust::SignatureCheck::bad, "no signature is forged");
}
