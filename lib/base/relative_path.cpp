// Syntax of paths and names. Everything that could leave the tree or confuse a reader is refused
// here, once, so that no later code has to ask again.
#include "base/relative_path.hpp"

#include <fmt/core.h>

#include <cstdint>

namespace shoal {
namespace {

constexpr std::size_t kMaxComponentBytes = 255;  // NAME_MAX on every file system we install to
constexpr std::size_t kMaxNameBytes = 64;

// C0 (and DEL) as one byte, C1 as two bytes of UTF-8: terminals obey both.
bool is_control(std::string_view text, std::size_t i) {
  auto byte = static_cast<unsigned char>(text[i]);
  if (byte == 0xc2 && i + 1 < text.size()) return static_cast<unsigned char>(text[i + 1]) < 0xa0;
  return byte < 0x20 || byte == 0x7f;
}

// The path as it may stand in a message: cut, without control characters, valid UTF-8 (a message
// travels as JSON).
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, 200));
  bool ascii_only = !is_valid_utf8(shown);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    bool high = static_cast<unsigned char>(shown[i]) >= 0x80;
    if (is_control(shown, i) || (high && ascii_only)) {
      if (high && !ascii_only) shown.erase(i, 1);
      shown[i] = '?';
    }
  }
  return shown;
}

std::unexpected<Error> bad_path(std::string_view text, std::string_view why) {
  return fail(ErrorKind::path_invalid, fmt::format("path '{}': {}", printable(text), why));
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    auto lead = static_cast<unsigned char>(text[i]);
    std::size_t length = lead < 0x80       ? 1
                         : lead >> 5 == 6  ? 2
                         : lead >> 4 == 14 ? 3
                         : lead >> 3 == 30 ? 4
                                           : 0;
    if (length == 0 || i + length > text.size()) return false;
    std::uint32_t code = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      auto next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6 != 2) return false;
      code = code << 6 | (next & 0x3fU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
      return false;
    i += length;
  }
  return true;
}

Result<RelativePath> RelativePath::parse(std::string_view text) {
  if (text.empty()) return bad_path(text, "it is empty");
  if (text.size() > kMaxBytes) return bad_path(text, "it is too long");
  if (text.front() == '/') return bad_path(text, "it is absolute");
  if (!is_valid_utf8(text)) return bad_path(text, "it is not UTF-8");
  for (std::size_t i = 0; i < text.size(); ++i)
    if (is_control(text, i)) return bad_path(text, "it has a control character");
  std::size_t start = 0;
  while (start <= text.size()) {
    std::size_t end = std::min(text.find('/', start), text.size());
    auto component = text.substr(start, end - start);
    if (component.empty()) return bad_path(text, "it has an empty component");
    if (component == "." || component == "..") return bad_path(text, "it has a '.' or '..'");
    if (component.size() > kMaxComponentBytes) return bad_path(text, "a component is too long");
    start = end + 1;
  }
  return RelativePath(std::string(text));
}

std::string_view RelativePath::parent() const {
  auto slash = text_.rfind('/');
  return slash == std::string::npos ? std::string_view{} : std::string_view(text_).substr(0, slash);
}

std::string_view RelativePath::name() const {
  auto slash = text_.rfind('/');
  return slash == std::string::npos ? std::string_view(text_)
                                    : std::string_view(text_).substr(slash + 1);
}

RelativePath RelativePath::beneath(const RelativePath& directory) const {
  return RelativePath(directory.text_ + '/' + text_);
}

Result<void> check_name(std::string_view what, std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '+' || c == '~' || c == '-';
  };
  bool good =
      !name.empty() && name.size() <= kMaxNameBytes && name.front() != '.' && name.front() != '-';
  for (char c : name) good = good && allowed(c);
  if (good) return {};
  return fail(
      ErrorKind::invalid_request, fmt::format("{} '{}' is not a name", what, printable(name)),
      "Use 1 to 64 of the characters A-Z a-z 0-9 . _ + ~ -, not beginning with '.' or '-'.");
}

}  // namespace shoal
