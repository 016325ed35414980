// The JSON of signed metadata: a strict reader and OLPC canonical JSON, the form whose bytes are
// signed (http://wiki.laptop.org/go/Canonical_JSON; not RFC 8785).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "trust/limits.hpp"

namespace shoal::trust {

// Errors: metadata_invalid when it is not JSON in UTF-8, names a member twice (two readers could
// disagree on which counts), or is nested deeper than max_depth; too_large when it holds more than
// max_values objects, lists, strings, numbers and words. `name` is for the message.
Result<nlohmann::json> parse_json(ByteView bytes, std::uint32_t max_depth, std::string_view name,
                                  std::uint32_t max_values = Limits{}.json_values);

// Members sorted by their bytes, no white space, only '"' and '\' escaped. Errors: metadata_invalid
// for a number that is not an integer.
Result<std::string> canonical_json(const nlohmann::json& value);

// The text of a metadata file: in canonical form, but for its "signatures", which nothing covers.
// Canonical JSON leaves control characters as they are, and anybody who passes a file on can add a
// signature under a key id of such, so that nobody could read what was written of it. Errors:
// metadata_invalid.
Result<std::string> metadata_text(const nlohmann::json& document);

}  // namespace shoal::trust
