// A request becomes a descriptor and a range of it. The file is opened beneath the directory once,
// and size, ETag and body all come from that descriptor: a file replaced meanwhile (by rename)
// is served whole, as it was.
#include "http/static_files.hpp"

#include <fmt/core.h>

#include <array>

#include "http/file_conditions.hpp"
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
  if (range.kind == FileRange::Kind::unsatisfiable) return unsatisfiable(stamp->size);
  if (range.kind == FileRange::Kind::part) {
    response.status = 206;
    response.headers["Content-Range"] =
        fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.length - 1, stamp->size);
  }
  response.file.emplace(std::move(*fd), range.offset, range.length);
  return response;
}

}  // namespace shoal::http
