// Bencoding (BEP 3), strictly: one encoding for each value, so what was parsed can be hashed as it
// was received. Also for tests of modules that speak BitTorrent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::content {

struct BencodeLimits {
  int depth = 16;              // the stack, against "llllll…"
  std::size_t items = 10'000;  // memory, against "llelele…": an item is much larger than its bytes
};

// A parsed value. Refers to the bytes it was parsed from, which must outlive it.
struct BencodeValue {
  enum class Type { integer, string, list, dictionary };

  Type type = Type::integer;
  std::int64_t integer = 0;
  ByteView string;
  std::vector<BencodeValue> list;
  std::vector<std::pair<std::string_view, BencodeValue>> dictionary;  // keys ascending, unique
  ByteView raw;                                                       // the whole encoded value

  // Out of line: clang cannot see through the recursion of an implicit one.
  BencodeValue();

  // The dictionary's value for the key if it has that type, otherwise null.
  const BencodeValue* find(std::string_view key, Type wanted) const;
};

// The whole of `bytes` must be one value. Refused: leading zeros, -0, keys unsorted or twice.
// Errors: metadata_invalid, too_large (a limit).
Result<BencodeValue> parse_bencode(ByteView bytes, const BencodeLimits& limits = {});

// Writes what it is told; the caller keeps keys in order and calls balanced.
class BencodeWriter {
 public:
  BencodeWriter& begin_dictionary() { return put("d"); }
  BencodeWriter& begin_list() { return put("l"); }
  BencodeWriter& end() { return put("e"); }
  BencodeWriter& integer(std::int64_t value);
  BencodeWriter& string(std::string_view text);
  BencodeWriter& string(ByteView bytes) { return string(as_text(bytes)); }
  BencodeWriter& raw(ByteView encoded) { return put(as_text(encoded)); }
  Bytes take() { return std::exchange(bytes_, {}); }

 private:
  BencodeWriter& put(std::string_view text);
  Bytes bytes_;
};

}  // namespace shoal::content
