// Beast's response_parser, fed by hand. It may leave bytes unread until more come: they are kept.
#include "client/response_reader.hpp"

// clang-format off
#include <utility>  // Boost 1.74 needs it first
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
// clang-format on

namespace shoal::client {

namespace http = boost::beast::http;

namespace {
constexpr std::uint32_t kMaxHeadBytes = 16 << 10;
}

struct ResponseReader::Impl {
  http::response_parser<http::string_body> parser;
  std::string unread;
};

ResponseReader::ResponseReader(std::optional<std::uint64_t> max_body_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->parser.eager(true);
  impl_->parser.header_limit(kMaxHeadBytes);
  if (max_body_bytes) {
    impl_->parser.body_limit(*max_body_bytes);
  } else {
    impl_->parser.body_limit(boost::none);
  }
}
ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

Result<void> ResponseReader::feed(std::string_view bytes) {
  auto& [parser, unread] = *impl_;
  unread += bytes;
  while (!unread.empty() && !parser.is_done()) {
    boost::beast::error_code error;
    std::size_t used = parser.put(boost::asio::buffer(unread), error);
    unread.erase(0, used);
    if (error == http::error::need_more) return {};
    if (error)
      return fail(ErrorKind::internal,
                  "what answers at the socket does not speak HTTP as expected: " + error.message());
    if (used == 0) return {};
  }
  return {};
}

Result<void> ResponseReader::end() {
  boost::beast::error_code error;
  if (impl_->parser.got_some()) impl_->parser.put_eof(error);
  if (error || !complete())
    return fail(ErrorKind::daemon_unreachable,
                "the daemon closed the connection without a whole answer");
  return {};
}

bool ResponseReader::head_complete() const { return impl_->parser.is_header_done(); }
bool ResponseReader::complete() const { return impl_->parser.is_done(); }
int ResponseReader::status() const { return static_cast<int>(impl_->parser.get().result_int()); }
std::string ResponseReader::take_body() { return std::exchange(impl_->parser.get().body(), {}); }

}  // namespace shoal::client
