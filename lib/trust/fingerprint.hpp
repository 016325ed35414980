// Key fingerprints that two people can compare over the telephone.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "trust/keys.hpp"

namespace shoal::trust {

// One word for each value of a byte: our own list of common nouns, no two of which begin with the
// same three letters.
extern const std::array<std::string_view, 256> kFingerprintWords;

// The first 12 bytes of the key id, a word each, separated by '-'. 96 bits: nobody finds another
// key with the same words.
std::string fingerprint_words(const PublicKey& key);
// The same for any digest: one word for each of its first 12 bytes.
std::string words_of(ByteView digest);

}  // namespace shoal::trust
