// Sizes are decimal (1 MB = 1,000,000 bytes), as disks and networks are sold.
#include "cli/shoal/text.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "cli/usage/sanitised.hpp"

namespace shoal::cli {
namespace {

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
