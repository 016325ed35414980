// Bencode, as torrents and announces carry it: there is one encoding for each value.
#include <algorithm>

#include "content/bencode.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;
using Type = content::BencodeValue::Type;

void write(content::BencodeWriter& out, const content::BencodeValue& value) {
  switch (value.type) {
    case Type::integer:
      out.integer(value.integer);
      return;
    case Type::string:
      out.string(value.string);
      return;
    case Type::list:
      out.begin_list();
      for (const auto& item : value.list) write(out, item);
      out.end();
      return;
    case Type::dictionary:
      out.begin_dictionary();
      for (const auto& [key, member] : value.dictionary) {
        fuzz::require(value.find(key, member.type) != nullptr, "each key is found");
        write(out.string(key), member);
      }
      out.end();
  }
}

}  // namespace

SHOAL_FUZZER(bencode) {
  auto value = content::parse_bencode(bytes);
  if (!value) return;
  fuzz::require(value->raw.size() == bytes.size(), "the value is all of the bytes");
  content::BencodeWriter out;
  write(out, *value);
  fuzz::require(std::ranges::equal(out.take(), bytes), "the same bytes are written again");
}
