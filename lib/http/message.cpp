// Percent-decoding, request targets and response heads. A '+' stays a '+': versions contain it, and
// nothing of ours sends forms.
#include "http/message.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace shoal::http {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// The byte of the escape that begins at `at`, or -1 when it is malformed.
int escaped_byte(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return -1;
  int high = hex_value(text[at + 1]);
  int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";  // the phrase has no meaning to clients
  }
}

std::string without_controls(std::string_view value) {
  std::string clean(value);
  for (char& c : clean)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return clean;
}

bool starts_with_no_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
           return a == ((b >= 'A' && b <= 'Z') ? static_cast<char>(b + 32) : b);
         });
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    int byte = text[i] == '%' ? escaped_byte(text, i) : -1;
    decoded.push_back(byte < 0 ? text[i] : static_cast<char>(byte));
    if (byte >= 0) i += 2;
  }
  return decoded;
}

std::optional<std::string> Request::query(std::string_view name) const {
  std::string_view rest = raw_query;
  while (!rest.empty()) {
    auto end = std::min(rest.find('&'), rest.size());
    auto pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    auto equals = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, equals)) == name)
      return percent_decode(pair.substr(std::min(equals + 1, pair.size())));
  }
  return std::nullopt;
}

std::string Request::header(std::string_view lower_case_name) const {
  auto found = headers.find(std::string(lower_case_name));
  return found == headers.end() ? std::string() : found->second;
}

std::optional<Target> parse_target(std::string_view target) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!starts_with_no_case(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    auto authority = std::min(target.find_first_of("/?"), target.size());
    if (authority == 0) return std::nullopt;
    target.remove_prefix(authority);
    if (!target.starts_with('/')) return parse_target(std::string("/").append(target));
    break;
  }
  if (!target.starts_with('/') || target.find('#') != std::string_view::npos) return std::nullopt;
  auto question = std::min(target.find('?'), target.size());
  auto path = target.substr(0, question);
  for (auto at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1))
    if (escaped_byte(path, at) <= 0) return std::nullopt;  // malformed, or a NUL
  return Target{percent_decode(path),
                std::string(target.substr(std::min(question + 1, target.size())))};
}

std::string format_http_date(UtcSeconds time) {
  constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(time - day);
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
      clock.seconds().count());
}

bool status_has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string format_head(const Response& response, std::optional<std::uint64_t> content_length,
                        bool keep_alive, UtcSeconds now) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                                 reason(response.status), format_http_date(now));
  if (!response.content_type.empty() && status_has_body(response.status))
    head += fmt::format("Content-Type: {}\r\n", without_controls(response.content_type));
  if (content_length && status_has_body(response.status))
    head += fmt::format("Content-Length: {}\r\n", *content_length);
  for (const auto& [name, value] : response.headers)
    head += fmt::format("{}: {}\r\n", without_controls(name), without_controls(value));
  head += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

Response error_response(int status, ErrorKind kind, std::string_view message) {
  Response response;
  response.status = status;
  response.body = fmt::format(R"({{"kind":"{}","message":"{}","remedy":"{}","retryable":{}}})"
                              "\n",
                              info(kind).name, message, info(kind).remedy, info(kind).retryable);
  return response;
}

}  // namespace shoal::http
