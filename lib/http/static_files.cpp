// A request becomes a descriptor and a range of it. The file is opened beneath the directory once,
// and size, ETag and body all come from that descriptor: a file replaced meanwhile (by rename)
// is served whole, as it was. A file without a clear range request is sent entire, as RFC 9110
// 14.2 has it: a Range header that is malformed, of several ranges or in another unit is ignored.
#include "http/static_files.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "http/message.hpp"

namespace shoal::http {
namespace {

struct Type {
  std::string_view suffix;
  std::string_view content_type;
};
constexpr std::array<Type, 9> kTypes{{{".json", "application/json"},
                                      {".torrent", "application/x-bittorrent"},
                                      {".html", "text/html; charset=utf-8"},
                                      {".css", "text/css; charset=utf-8"},
                                      {".js", "text/javascript; charset=utf-8"},
                                      {".txt", "text/plain; charset=utf-8"},
                                      {".md", "text/plain; charset=utf-8"},
                                      {".png", "image/png"},
                                      {".svg", "image/svg+xml"}}};

std::string content_type_of(std::string_view name) {
  for (const auto& type : kTypes)
    if (name.ends_with(type.suffix)) return std::string(type.content_type);
  return "application/octet-stream";
}

Response not_found() { return error_response(404, ErrorKind::not_found, "no such file"); }

bool has_hidden_component(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

std::string etag_of(const FileStamp& stamp) {
  return fmt::format("\"{:x}-{:x}-{:x}\"", stamp.size, stamp.mtime_ns, stamp.inode);
}

// Whether If-None-Match names the tag (weak comparison, RFC 9110 13.1.2).
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

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

enum class RangeKind { whole, part, unsatisfiable };
struct Range {
  RangeKind kind = RangeKind::whole;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// "bytes=a-b", "bytes=a-" or "bytes=-n" (RFC 9110 14.1.2).
Range parse_range(std::string_view text, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  Range whole{RangeKind::whole, 0, size};
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
    auto count = std::min(*last, size);
    if (count == 0) return {RangeKind::unsatisfiable, 0, 0};
    return {RangeKind::part, size - count, count};
  }
  if (last && *last < *first) return whole;
  if (*first >= size) return {RangeKind::unsatisfiable, 0, 0};
  auto end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeKind::part, *first, end - *first + 1};
}

Response unsatisfiable(std::uint64_t size) {
  auto response =
      error_response(416, ErrorKind::invalid_request, "the range begins beyond the file's end");
  response.headers["Content-Range"] = fmt::format("bytes */{}", size);
  return response;
}

}  // namespace

Response serve_static(const BeneathDir& directory, const Request& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    auto response = error_response(405, ErrorKind::invalid_request, "only GET and HEAD are served");
    response.headers["Allow"] = "GET, HEAD";
    return response;
  }
  auto name = std::string_view(request.path).substr(1);
  if (has_hidden_component(name)) return not_found();
  auto path = RelativePath::parse(name);
  if (!path) return not_found();
  auto fd = directory.open_read(*path);
  if (!fd) return not_found();
  auto stamp = stamp_of(fd->get(), path->text());
  if (!stamp) return not_found();

  Response response;
  auto tag = etag_of(*stamp);
  response.headers = {{"ETag", tag}, {"Accept-Ranges", "bytes"}};
  response.content_type = content_type_of(path->name());
  if (names_tag(request.header("if-none-match"), tag)) {
    response.status = 304;
    return response;
  }
  auto if_range = request.header("if-range");  // only a strong tag of ours; a date never matches
  bool ranged = request.method == "GET" && (if_range.empty() || if_range == tag);
  auto range = parse_range(ranged ? request.header("range") : "", stamp->size);
  if (range.kind == RangeKind::unsatisfiable) return unsatisfiable(stamp->size);
  if (range.kind == RangeKind::part) {
    response.status = 206;
    response.headers["Content-Range"] =
        fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, stamp->size);
  }
  response.file.emplace(std::move(*fd), range.offset, range.length);
  return response;
}

}  // namespace shoal::http
