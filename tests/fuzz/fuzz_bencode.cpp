// Bencode, as torrents and announces carry it.
#include "content/bencode.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(bencode) {
  using namespace shoal;
  auto value = content::parse_bencode(bytes);
  if (!value) return;
  fuzz::require(value->raw.size() == bytes.size(), "the value is all of the bytes");
  for (const auto& [key, member] : value->dictionary)
    fuzz::require(value->find(key, member.type) != nullptr, "each key is found");
}
