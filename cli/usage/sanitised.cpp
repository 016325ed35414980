// Code point by code point; what is not UTF-8 is taken byte by byte.
#include "cli/usage/sanitised.hpp"

#include <array>
#include <cstdint>
#include <optional>

#include "base/relative_path.hpp"

namespace shoal::cli {
namespace {

struct CodePoint {
  std::uint32_t value;
  std::size_t length;  // in bytes
};

// The code point at the position; nothing when the bytes there are not UTF-8.
std::optional<CodePoint> code_point_at(std::string_view text, std::size_t at) {
  auto first = static_cast<unsigned char>(text[at]);
  std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + length > text.size() || !is_valid_utf8(text.substr(at, length))) return std::nullopt;
  constexpr std::array<unsigned, 5> kMask = {0, 0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t value = first & kMask[length];
  for (std::size_t i = 1; i < length; ++i)
    value = (value << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3f);
  return CodePoint{value, length};
}

bool is_unsafe(std::uint32_t c) {
  bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  bool direction = c == 0x200e || c == 0x200f || c == 0x061c || (c >= 0x202a && c <= 0x202e) ||
                   (c >= 0x2066 && c <= 0x2069);
  bool line_break = c == 0x2028 || c == 0x2029;
  return control || direction || line_break;
}

}  // namespace

std::string sanitised(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    auto point = code_point_at(text, at);
    if (!point || is_unsafe(point->value)) {
      clean += '?';
      at += point ? point->length : 1;
    } else {
      clean += text.substr(at, point->length);
      at += point->length;
    }
  }
  return clean;
}

}  // namespace shoal::cli
