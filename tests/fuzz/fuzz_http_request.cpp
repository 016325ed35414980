// Requests to the local API, to `shoal-publish serve` and to the tracker, cut up as the first byte
// says: what arrives in pieces must be read as what arrives at once.
#include "fuzzer.hpp"
#include "http/request_parser.hpp"

namespace {

using namespace shoal;

// The requests accepted on a connection, each as text.
std::vector<std::string> requests(const std::vector<ByteView>& parts) {
  http::Limits limits;
  limits.max_header_bytes = 512;
  limits.max_body_bytes = 256;
  http::RequestParser parser(limits);
  std::vector<std::string> out;
  for (ByteView part : parts) {
    parser.feed(part);
    for (;;) {
      auto status = parser.advance();
      if (status == http::RequestParser::Status::need_more) break;
      if (status == http::RequestParser::Status::continue_expected) continue;
      if (status == http::RequestParser::Status::refused) {
        static_cast<void>(parser.take_refusal());
        return out;
      }
      auto request = parser.take();
      fuzz::require(request.path.starts_with('/'), "a path begins with a slash");
      fuzz::require(request.body.size() <= limits.max_body_bytes, "a body is bounded");
      static_cast<void>(request.query("cursor"));
      out.push_back(request.method + ' ' + request.path + '?' + request.raw_query);
      for (const auto& [name, value] : request.headers) out.back() += '\n' + name + ": " + value;
      out.back() += "\n\n" + request.body;
      if (!parser.keep_alive()) return out;
    }
  }
  return out;
}

}  // namespace

SHOAL_FUZZER(http_request) {
  if (bytes.empty()) return;
  auto rest = bytes.subspan(1);
  // Only what is accepted: of a request that is malformed, the parser may see that later when it
  // comes in pieces.
  fuzz::require(requests(fuzz::cut_up(rest, bytes[0])) == requests({rest}),
                "the border between two reads makes no difference");
}
