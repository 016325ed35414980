// A recursive-descent parser over one cursor; depth and number of values are bounded before
// anything is allocated for them, and a string is only ever a view of the input.
#include "content/bencode.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace shoal::content {
namespace {

class Parser {
 public:
  Parser(ByteView bytes, const BencodeLimits& limits)
      : text_(as_text(bytes)), bytes_(bytes), limits_(limits) {}

  Result<BencodeValue> whole() {
    SHOAL_ASSIGN(auto value, parse(0));
    if (at_ != text_.size()) return bad("there are bytes after the value");
    return value;
  }

 private:
  std::unexpected<Error> bad(std::string_view why) const {
    return fail(ErrorKind::metadata_invalid, fmt::format("bencoding, byte {}: {}", at_, why));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  Result<BencodeValue> parse(int depth) {
    if (depth > limits_.depth || ++items_ > limits_.items)
      return fail(ErrorKind::too_large,
                  fmt::format("bencoding, byte {}: deeper than {} or more than {} values", at_,
                              limits_.depth, limits_.items));
    std::size_t start = at_;
    BencodeValue value;
    char first = peek();
    if (first == 'i') {
      SHOAL_TRY(parse_integer(value));
    } else if (first >= '0' && first <= '9') {
      value.type = BencodeValue::Type::string;
      SHOAL_ASSIGN(value.string, parse_string());
    } else if (first == 'l') {
      SHOAL_TRY(parse_list(value, depth));
    } else if (first == 'd') {
      SHOAL_TRY(parse_dictionary(value, depth));
    } else {
      return bad("no value begins like this");
    }
    value.raw = bytes_.subspan(start, at_ - start);
    return value;
  }

  // The digits up to `end`, which is consumed. No leading zeros.
  Result<std::int64_t> parse_number(char end, bool may_be_negative) {
    auto stop = text_.find(end, at_);
    if (stop == std::string_view::npos || stop - at_ > 20) return bad("a number does not end");
    auto digits = text_.substr(at_, stop - at_);
    auto magnitude = may_be_negative && digits.starts_with('-') ? digits.substr(1) : digits;
    bool all_digits =
        !magnitude.empty() && std::all_of(magnitude.begin(), magnitude.end(),
                                          [](char c) { return c >= '0' && c <= '9'; });
    bool zero_ahead = magnitude.starts_with('0') && digits != "0";
    std::int64_t number = 0;
    auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (!all_digits || zero_ahead || error != std::errc{}) return bad("not a proper number");
    at_ = stop + 1;
    return number;
  }

  Result<void> parse_integer(BencodeValue& value) {
    ++at_;
    SHOAL_ASSIGN(value.integer, parse_number('e', true));
    return {};
  }

  Result<ByteView> parse_string() {
    SHOAL_ASSIGN(auto length, parse_number(':', false));
    if (static_cast<std::uint64_t>(length) > text_.size() - at_) return bad("a string is cut off");
    auto string = bytes_.subspan(at_, static_cast<std::size_t>(length));
    at_ += string.size();
    return string;
  }

  Result<void> parse_list(BencodeValue& value, int depth) {
    value.type = BencodeValue::Type::list;
    for (++at_; peek() != 'e';) {
      SHOAL_ASSIGN(auto item, parse(depth + 1));
      value.list.push_back(std::move(item));
    }
    ++at_;
    return {};
  }

  Result<void> parse_dictionary(BencodeValue& value, int depth) {
    value.type = BencodeValue::Type::dictionary;
    for (++at_; peek() != 'e';) {
      SHOAL_ASSIGN(auto key_bytes, parse_string());
      auto key = as_text(key_bytes);
      if (!value.dictionary.empty() && value.dictionary.back().first >= key)
        return bad("keys are not in ascending order");
      SHOAL_ASSIGN(auto item, parse(depth + 1));
      value.dictionary.emplace_back(key, std::move(item));
    }
    ++at_;
    return {};
  }

  std::string_view text_;
  ByteView bytes_;
  BencodeLimits limits_;
  std::size_t at_ = 0;
  std::size_t items_ = 0;
};

}  // namespace

BencodeValue::BencodeValue() = default;

const BencodeValue* BencodeValue::find(std::string_view key, Type wanted) const {
  auto found =
      std::lower_bound(dictionary.begin(), dictionary.end(), key,
                       [](const auto& entry, auto sought) { return entry.first < sought; });
  if (found == dictionary.end() || found->first != key || found->second.type != wanted)
    return nullptr;
  return &found->second;
}

Result<BencodeValue> parse_bencode(ByteView bytes, const BencodeLimits& limits) {
  return Parser(bytes, limits).whole();
}

BencodeWriter& BencodeWriter::put(std::string_view text) {
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  return *this;
}

BencodeWriter& BencodeWriter::integer(std::int64_t value) {
  return put("i").put(std::to_string(value)).put("e");
}

BencodeWriter& BencodeWriter::string(std::string_view text) {
  return put(std::to_string(text.size())).put(":").put(text);
}

}  // namespace shoal::content
