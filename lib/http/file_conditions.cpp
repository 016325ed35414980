// An offset and a length come out, never a last byte: nothing is added that could overflow.
#include "http/file_conditions.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace shoal::http {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

FileRange parse_range(std::string_view text, std::uint64_t file_bytes) {
  constexpr std::string_view kUnit = "bytes=";
  FileRange whole{FileRange::Kind::whole, 0, file_bytes};
  if (!text.starts_with(kUnit)) return whole;
  text.remove_prefix(kUnit.size());
  auto dash = text.find('-');
  if (dash == std::string_view::npos) return whole;
  auto first = parse_number(text.substr(0, dash));
  auto last = parse_number(text.substr(dash + 1));
  bool no_first = dash == 0;
  bool no_last = dash + 1 == text.size();
  if ((!first && !no_first) || (!last && !no_last) || (no_first && no_last)) return whole;
  if (no_first) {
    auto count = std::min(*last, file_bytes);
    if (count == 0) return {FileRange::Kind::unsatisfiable, 0, 0};
    return {FileRange::Kind::part, file_bytes - count, count};
  }
  if (last && *last < *first) return whole;
  if (*first >= file_bytes) return {FileRange::Kind::unsatisfiable, 0, 0};
  auto end = last ? std::min(*last, file_bytes - 1) : file_bytes - 1;
  return {FileRange::Kind::part, *first, end - *first + 1};
}

bool names_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    auto end = std::min(list.find(','), list.size());
    auto item = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
    item = item.substr(0, item.find_last_not_of(" \t") + 1);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == tag || item == "*") return true;
  }
  return false;
}

}  // namespace shoal::http
