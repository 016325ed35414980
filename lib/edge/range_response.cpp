// A server that ignores Range, answers with another range, compresses on the fly or lost the object
// is told apart here, before one byte of its body is used.
#include "edge/range_response.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace shoal::edge {
namespace {

// Takes a decimal number off the front. Empty when there is none or it does not fit.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

// As header names and the values that we know are compared. Values also come to stand in messages,
// so what is not printable ASCII, which none of them may have, becomes '?'.
std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return text;
}

RequestFailure failure(RequestFailure::Fault fault, const RangeRequest& request,
                       const std::string& why) {
  Error error{ErrorKind::network,
              fmt::format("GET {} (bytes {}-{}): {}", request.url, request.range.begin,
                          request.range.end - 1, why),
              {}};
  if (fault == RequestFailure::Fault::object) error.kind = ErrorKind::source_unavailable;
  return {fault, std::move(error)};
}

}  // namespace

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!text.starts_with("bytes")) return std::nullopt;
  text.remove_prefix(5);
  if (!take_char(text, ' ')) return std::nullopt;
  while (take_char(text, ' ')) {
  }
  ContentRange parsed;
  auto first = take_number(text);
  if (!first || !take_char(text, '-')) return std::nullopt;
  auto last = take_number(text);
  if (!last || *last < *first || *last == UINT64_MAX || !take_char(text, '/')) return std::nullopt;
  parsed.range = {*first, *last + 1};
  if (text == "*") return parsed;
  parsed.object_size = take_number(text);
  if (!parsed.object_size || !text.empty() || *parsed.object_size <= *last) return std::nullopt;
  return parsed;
}

void read_header_line(ResponseHead& head, std::string_view line) {
  if (line.starts_with("HTTP/")) head = {};
  auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  auto name = lower(line.substr(0, colon));
  auto value = trimmed(line.substr(colon + 1)).substr(0, kMaxHeaderBytes);
  if (name == "content-range") head.content_range = lower(value);
  if (name == "content-encoding") head.content_encoding = lower(value);
}

std::uint32_t retry_after_ms(std::int64_t seconds) {
  constexpr std::int64_t kLongest = 3600;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, kLongest) * 1000);
}

std::optional<RequestFailure> check_response(const RangeRequest& request,
                                             const ResponseHead& head) {
  using Fault = RequestFailure::Fault;
  switch (head.status) {
    case 403:  // what object stores answer for a name they do not have
    case 404:
    case 410:
      return failure(Fault::object, request, fmt::format("it is not there ({})", head.status));
    case 416:
      return failure(Fault::object, request, "the object is shorter than it should be (416)");
    case 200:
      if (!request.whole()) return failure(Fault::mirror, request, "the server ignores ranges");
      break;
    case 206:
      break;
    default:
      return failure(Fault::mirror, request, fmt::format("the server answered {}", head.status));
  }
  if (!head.content_encoding.empty() && head.content_encoding != "identity")
    return failure(Fault::mirror, request,
                   fmt::format("the server encoded it as '{}'", head.content_encoding));
  if (head.status == 206) {
    auto range = parse_content_range(head.content_range);
    if (!range || range->range != request.range ||
        range->object_size.value_or(request.object_size) != request.object_size)
      return failure(Fault::mirror, request,
                     fmt::format("the server sends another range ('{}')", head.content_range));
  }
  if (head.content_length >= 0 &&
      static_cast<std::uint64_t>(head.content_length) != request.range.size())
    return failure(Fault::mirror, request,
                   fmt::format("the body is said to have {} bytes instead of {}",
                               head.content_length, request.range.size()));
  return std::nullopt;
}

}  // namespace shoal::edge
