// Beast's parser, fed by hand: first the head, so that limits and an expectation are answered
// before a body is read, then the body. What Beast tolerates and a server must not (a missing or
// double Host, an unknown transfer coding) is refused here. A head that comes in parts is parsed
// anew with each line: Beast, once it has asked for more, only looks for the head's end, and would
// wait for it however wrong the lines before are.
#include "http/request_parser.hpp"

#include "base/asio.hpp"
// asio.hpp comes first: Boost 1.74 needs it so.
#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

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

Response refuse(beast::error_code error) {
  using Code = beast::http::error;
  if (error == Code::header_limit)
    return error_response(431, ErrorKind::too_large, "the request's head is too large");
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
  bool head_checked = false;
  bool keep_alive = false;
  bool asked_for_more = false;  // by the last attempt at the body
  std::size_t head_tried = 0;   // bytes of the buffer that were parsed as a part of a head
  Response refusal;

  void reset() {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    parser->body_limit(limits.max_body_bytes);
    head_checked = false;
  }

  // Whether another attempt at the head may tell more than the last one: a line has ended, or the
  // first byte after it is there, without which it may go on (folded). Lines of four bytes, the
  // shortest, make a few thousand attempts at a head as long as is allowed.
  bool head_has_grown() const {
    if (buffer.size() >= limits.max_header_bytes) return true;
    ByteView bytes(static_cast<const std::uint8_t*>(buffer.data().data()), buffer.size());
    auto fresh = bytes.subspan(head_tried - std::min<std::size_t>(head_tried, 1));
    return std::ranges::find(fresh, std::uint8_t{'\n'}) != fresh.end();
  }

  // Parses what is there as far as it goes; nothing when there may be more to parse.
  std::optional<Status> put() {
    const bool in_head = !parser->is_header_done();
    if (in_head && !head_has_grown()) return Status::need_more;
    // Beast, once it has seen a last chunk's size, expects to be asked again with no less than this
    // (Boost 1.74 asserts it); every chunked body goes on for as long.
    constexpr std::size_t kShortestEnd = 5;  // "0" and two ends of lines
    if (!in_head && parser->chunked() && asked_for_more && buffer.size() < kShortestEnd) {
      return Status::need_more;
    }
    if (in_head) reset();
    beast::error_code error;
    auto used = parser->put(buffer.data(), error);
    const bool more = error == beast::http::error::need_more;
    head_tried = in_head && more ? buffer.size() : 0;
    asked_for_more = !in_head && more;
    if (head_tried == 0) buffer.consume(used);
    if (more) return Status::need_more;
    if (error) return refused(refuse(error));
    return std::nullopt;
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
    if (head.count(beast::http::field::transfer_encoding) != 0 && !parser->chunked())
      return refused(
          error_response(501, ErrorKind::invalid_request, "this transfer coding is not known"));
    auto expect = lower_case(head[beast::http::field::expect]);
    if (expect.empty() || head.version() < 11) return Status::need_more;
    if (expect != "100-continue")
      return refused(error_response(417, ErrorKind::invalid_request, "unknown expectation"));
    return parser->is_done() || buffer.size() != 0 ? Status::need_more : Status::continue_expected;
  }
};

RequestParser::RequestParser(const Limits& limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
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
  for (const auto& field : message) {
    auto [at, added] =
        request.headers.try_emplace(lower_case(field.name_string()), std::string(field.value()));
    if (!added) at->second.append(", ").append(field.value().data(), field.value().size());
  }
  request.body = std::move(message.body());
  impl_->keep_alive = message.keep_alive();
  impl_->reset();
  return request;
}

bool RequestParser::keep_alive() const { return impl_->keep_alive; }
Response RequestParser::take_refusal() { return std::move(impl_->refusal); }

}  // namespace shoal::http
