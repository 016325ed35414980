// Beast's parser, fed by hand: first the head, so that limits and an expectation are answered
// before a body is read, then the body. What Beast tolerates and a server must not (a missing or
// double Host, an unknown transfer coding) is refused here, and what it keeps without a limit (a
// chunk's head, the lines after the last one) is bounded. A head that comes in parts is parsed anew
// as its lines end: Beast, once it has asked for more, only looks for the head's end, and would
// wait for it however wrong the lines before are.
#include "http/request_parser.hpp"

#include "base/asio.hpp"
// asio.hpp comes first: Boost 1.74 needs it so.
#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <map>
#include <optional>
#include <string_view>

#include "http/message.hpp"

namespace shoal::http {
namespace {

namespace beast = boost::beast;
using Parser = beast::http::request_parser<beast::http::string_body>;

std::string lower_case(beast::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lower;
}

// Fields of Beast hold less than 64 KiB each, and throw beyond.
constexpr std::size_t kMostHeaderBytes = 32 << 10;
// A head is tried at the end of each of its first lines, then when it is an eighth longer: one that
// comes byte by byte, in thousands of lines, costs no more than some ten dozen attempts.
constexpr std::size_t kTriesByLine = 32;
constexpr std::size_t kGrowth = 8;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

Response head_too_large() {
  return error_response(431, ErrorKind::too_large, "the request's head is too large");
}

Response refuse(beast::error_code error) {
  using Code = beast::http::error;
  if (error == Code::header_limit) return head_too_large();
  if (error == Code::body_limit)
    return error_response(413, ErrorKind::too_large, "the request's body is too large");
  return error_response(400, ErrorKind::invalid_request, "not a valid HTTP/1.1 request");
}

}  // namespace

struct RequestParser::Impl {
  Limits limits;
  beast::flat_buffer buffer;
  std::optional<Parser> parser;
  Target target;
  std::map<std::string, std::string> headers;
  bool head_checked = false;
  bool keep_alive = false;
  bool asked_for_more = false;  // by the last attempt at the body
  std::size_t head_tried = 0;   // bytes of the buffer that were parsed as a part of a head
  std::size_t head_seen = 0;    // bytes of it in which the head does not end
  std::size_t head_tries = 0;
  Response refusal;

  void reset() {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    parser->body_limit(limits.max_body_bytes);
    head_checked = false;
  }

  // Parses what is there as far as it goes; nothing when there may be more to parse.
  std::optional<Status> put() { return parser->is_header_done() ? put_body() : put_head(); }

  std::optional<Status> put_head() {
    const std::string_view text(static_cast<const char*>(buffer.data().data()), buffer.size());
    const auto end = text.find(kHeadEnd, head_seen - std::min(head_seen, kHeadEnd.size() - 1));
    const bool ends = end != std::string_view::npos;
    if ((ends ? end + kHeadEnd.size() : text.size()) > limits.max_header_bytes)
      return refused(head_too_large());
    head_seen = text.size();
    if (!ends && !worth_a_try(text)) return Status::need_more;
    ++head_tries;
    reset();
    beast::error_code error;
    const auto used = parser->put(buffer.data(), error);
    if (error == beast::http::error::need_more) {
      head_tried = text.size();
      return Status::need_more;
    }
    if (error) return refused(refuse(error));
    buffer.consume(used);
    head_tried = head_seen = head_tries = 0;
    return std::nullopt;
  }

  // Whether another attempt at an unfinished head may tell more than the last one: a line has
  // ended, or the first byte after it is there, without which it may go on (folded).
  bool worth_a_try(std::string_view text) const {
    if (text.find('\n', head_tried - std::min<std::size_t>(head_tried, 1)) == text.npos)
      return false;
    return head_tries < kTriesByLine || text.size() >= head_tried + head_tried / kGrowth;
  }

  std::optional<Status> put_body() {
    // Beast, once it has seen a last chunk's size, expects to be asked again with no less than this
    // (Boost 1.74 asserts it); every chunked body goes on for as long.
    constexpr std::size_t kShortestEnd = 5;  // "0" and two ends of lines
    if (parser->chunked() && asked_for_more && buffer.size() < kShortestEnd)
      return Status::need_more;
    // No more at once than may wait for the end of a chunk's head or of the last lines.
    const auto part = boost::asio::buffer(buffer.data(), limits.max_header_bytes);
    beast::error_code error;
    buffer.consume(parser->put(part, error));
    asked_for_more = error == beast::http::error::need_more;
    if (!asked_for_more) {
      if (error) return refused(refuse(error));
      return std::nullopt;
    }
    if (buffer.size() >= limits.max_header_bytes) return refused(head_too_large());
    return Status::need_more;
  }

  Status refused(Response response) {
    refusal = std::move(response);
    return Status::refused;
  }

  Status check_head() {
    head_checked = true;
    const auto& head = parser->get();
    auto parsed = parse_target({head.target().data(), head.target().size()});
    if (!parsed)
      return refused(
          error_response(400, ErrorKind::invalid_request, "the request's target is malformed"));
    target = std::move(*parsed);
    auto hosts = head.count(beast::http::field::host);
    if (hosts > 1 || (hosts == 0 && head.version() >= 11))
      return refused(
          error_response(400, ErrorKind::invalid_request, "the request needs one Host header"));
    const auto codings = head.count(beast::http::field::transfer_encoding);
    if (codings > 1 ||
        (codings == 1 && lower_case(head[beast::http::field::transfer_encoding]) != "chunked"))
      return refused(
          error_response(501, ErrorKind::invalid_request, "this transfer coding is not known"));
    read_headers();  // now: Beast adds what comes after a body's last chunk
    auto expect = lower_case(head[beast::http::field::expect]);
    if (expect.empty() || head.version() < 11) return Status::need_more;
    if (expect != "100-continue")
      return refused(error_response(417, ErrorKind::invalid_request, "unknown expectation"));
    return parser->is_done() || buffer.size() != 0 ? Status::need_more : Status::continue_expected;
  }

  void read_headers() {
    headers.clear();
    for (const auto& field : parser->get()) {
      auto [at, added] =
          headers.try_emplace(lower_case(field.name_string()), std::string(field.value()));
      if (!added) at->second.append(", ").append(field.value().data(), field.value().size());
    }
  }
};

RequestParser::RequestParser(const Limits& limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  impl_->limits.max_header_bytes = std::min(limits.max_header_bytes, kMostHeaderBytes);
  impl_->reset();
}
RequestParser::~RequestParser() = default;

void RequestParser::feed(ByteView bytes) {
  auto room = impl_->buffer.prepare(bytes.size());
  std::copy(bytes.begin(), bytes.end(), static_cast<std::uint8_t*>(room.data()));
  impl_->buffer.commit(bytes.size());
}

RequestParser::Status RequestParser::advance() {
  while (true) {
    if (impl_->parser->is_header_done() && !impl_->head_checked)
      if (auto status = impl_->check_head(); status != Status::need_more) return status;
    if (impl_->parser->is_done()) return Status::complete;
    if (impl_->buffer.size() == 0) return Status::need_more;
    if (auto status = impl_->put()) return *status;
  }
}

bool RequestParser::between_requests() const {
  return impl_->buffer.size() == 0 && !impl_->parser->got_some();
}

Request RequestParser::take() {
  auto message = impl_->parser->release();
  Request request;
  request.method = std::string(message.method_string());
  request.path = std::move(impl_->target.path);
  request.raw_query = std::move(impl_->target.raw_query);
  request.headers = std::move(impl_->headers);
  request.body = std::move(message.body());
  impl_->keep_alive = message.keep_alive();
  impl_->reset();
  return request;
}

bool RequestParser::keep_alive() const { return impl_->keep_alive; }
Response RequestParser::take_refusal() { return std::move(impl_->refusal); }

}  // namespace shoal::http
