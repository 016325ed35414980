// What the rules for paths need Unicode tables for. Private to `content` and the publisher.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace shoal::content {

// Whether the text, valid UTF-8, is in Unicode's normalisation form C.
bool is_nfc(std::string_view text);
// The text as a file system that ignores case compares it: NFC of the full case folding.
std::string fold_case(std::string_view text);

}  // namespace shoal::content
