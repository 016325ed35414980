// The reader of signed JSON and the form whose bytes are signed: writing is stable, or two machines
// would disagree on what was signed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "fuzzer.hpp"
#include "trust/json.hpp"

SHOAL_FUZZER(canonical_json) {
  using namespace shoal;
  constexpr std::uint32_t kDepth = 32;
  auto value = trust::parse_json(bytes, kDepth, "fuzz");
  if (!value) return;
  auto text = trust::canonical_json(*value);
  if (!text) return;
  // Control characters stand unescaped in OLPC's form, which is then no JSON.
  if (std::ranges::any_of(*text, [](char c) { return c >= 0 && c < 0x20; })) return;
  auto again = trust::parse_json(as_bytes(*text), kDepth, "again");
  fuzz::require(again.has_value(), "the canonical form is JSON");
  fuzz::require(*again == *value, "of the same value");
  auto text_again = trust::canonical_json(*again);
  fuzz::require(text_again.has_value() && *text_again == *text, "the canonical form is stable");
}
