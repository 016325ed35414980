// Sizes are decimal (1 MB = 1,000,000 bytes), as disks and networks are sold.
#include "cli/shoal/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
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

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) {
    return (c & 0xc0) != 0x80;  // every byte but the continuations
  }));
}

struct Unit {
  std::string_view name;  // lower case
  double bytes;
};

constexpr std::array kUnits = {
    Unit{"b", 1},
    Unit{"kb", 1e3},
    Unit{"mb", 1e6},
    Unit{"gb", 1e9},
    Unit{"kib", 1024},
    Unit{"mib", 1024.0 * 1024},
    Unit{"gib", 1073741824.0},
    Unit{"bit", 0.125},
    Unit{"kbit", 125},
    Unit{"mbit", 125e3},
    Unit{"gbit", 125e6},
};

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

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr std::array kNames = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kNames.size()) {
    value /= 1000;
    ++unit;
  }
  return value < 99.95 ? fmt::format("{:.1f} {}", value, kNames[unit])
                       : fmt::format("{:.0f} {}", value, kNames[unit]);
}

std::string human_rate(std::uint64_t bytes_per_s) { return human_bytes(bytes_per_s) + "/s"; }

std::string human_duration(std::uint64_t seconds) {
  std::uint64_t hours = seconds / 3600, minutes = seconds / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, seconds % 60);
  return fmt::format("{}:{:02}", minutes, seconds % 60);
}

Result<std::uint64_t> parse_rate(std::string_view text) {
  auto refuse = [&] {
    return fail(ErrorKind::invalid_request, "'" + sanitised(text) + "' is not a rate",
                "Write a number and a unit, such as 5MB/s, 500kB/s or 40Mbit; 0 or none for no "
                "limit.");
  };
  if (text == "none" || text == "0") return 0;
  double number = 0;
  auto [rest, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !(number >= 0)) return refuse();
  std::string unit(rest, text.data() + text.size());
  if (unit.ends_with("/s")) unit.resize(unit.size() - 2);
  unit.erase(0, unit.find_first_not_of(' '));
  // "Mb" means megabits to some and megabytes to others.
  if (unit.size() == 2 && unit[1] == 'b') return refuse();
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const auto& known : kUnits) {
    if (unit != known.name) continue;
    double bytes = std::round(number * known.bytes);
    if (bytes > 1e15 || (bytes < 1 && number > 0)) return refuse();
    return static_cast<std::uint64_t>(bytes);
  }
  return refuse();
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(sanitised(row[i])));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::string cell = sanitised(row[i]);
      line += cell;
      if (i + 1 < row.size()) line.append(widths[i] - width_of(cell) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace shoal::cli
