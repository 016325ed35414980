// A path inside a release or a library, checked once and safe from then on.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace shoal {

// Relative, '/'-separated, no empty component, no "." or "..", no NUL or control characters (C0,
// DEL, C1), valid UTF-8, at most kMaxBytes long with components of at most 255 bytes. (That it is
// also NFC, and unique in its tree, `content` checks: it needs tables.)
class RelativePath {
 public:
  static constexpr std::size_t kMaxBytes = 4096 - 256;  // PATH_MAX, less room for a library's path

  // Errors: path_invalid.
  static Result<RelativePath> parse(std::string_view text);

  const std::string& text() const { return text_; }
  const char* c_str() const { return text_.c_str(); }
  std::string_view parent() const;  // "" for a path of one component
  std::string_view name() const;    // the last component
  // This path beneath another: directory / this.
  RelativePath beneath(const RelativePath& directory) const;

  auto operator<=>(const RelativePath&) const = default;

 private:
  explicit RelativePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_valid_utf8(std::string_view text);

// Names that appear in URLs, file names and commands: products, components, channels, versions.
// 1 to 64 of [A-Za-z0-9._+~-], not beginning with '.' or '-'. Errors: invalid_request.
Result<void> check_name(std::string_view what, std::string_view name);

}  // namespace shoal

template <>
struct std::hash<shoal::RelativePath> {
  std::size_t operator()(const shoal::RelativePath& path) const noexcept {
    return std::hash<std::string>{}(path.text());
  }
};
