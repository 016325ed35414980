// Beast's response_parser, fed by hand. It may leave bytes unread until more come: they are kept.
#include "client/response_reader.hpp"

// clang-format off
#include "base/asio.hpp"  // before Beast
#include <boost/beast/http/parser.hpp>
// clang-format on

#include <algorithm>
#include <limits>

namespace shoal::client {

namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kMaxHeadBytes = 16 << 10;
// Given to Beast at once, and so the most that waits unread: Beast bounds neither a chunk's head
// nor the lines after the last one, and throws for a field of 64 KiB.
constexpr std::size_t kMostAtOnce = 2 * kMaxHeadBytes;
// Beast 1.74, once it has seen a last chunk's size, expects to be asked again with no less (it
// asserts it). Every chunked body goes on for as long.
constexpr std::size_t kShortestEnd = 5;  // "0" and two ends of lines

// A body for Beast's parser that grows with what comes. Beast's own string_body makes room for
// whatever length the head announces.
struct GrowingBody {
  using value_type = std::string;
  struct reader {
    template <bool is_request, typename Fields>
    reader(http::header<is_request, Fields>&, std::string& of_message) : body(of_message) {}
    void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& error) {
      error = {};
    }
    template <typename Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      error = {};
      const std::size_t before = body.size();
      for (auto part = boost::asio::buffer_sequence_begin(buffers);
           part != boost::asio::buffer_sequence_end(buffers); ++part) {
        const boost::asio::const_buffer bytes = *part;
        body.append(static_cast<const char*>(bytes.data()), bytes.size());
      }
      return body.size() - before;
    }
    void finish(boost::beast::error_code& error) { error = {}; }

    std::string& body;
  };
};

}  // namespace

struct ResponseReader::Impl {
  http::response_parser<GrowingBody> parser;
  std::string unread;
  bool asked_for_more = false;  // `unread` is of a chunk's head and has been tried
  std::optional<std::uint64_t> max_body_bytes;
  std::uint64_t bytes_left = 0;  // of head, body and chunks' frames, where the body is bounded
};

namespace {

std::unexpected<Error> too_long() {
  return fail(ErrorKind::internal, "the daemon's answer is too long");
}

}  // namespace

ResponseReader::ResponseReader(std::optional<std::uint64_t> max_body_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->parser.eager(true);
  impl_->parser.header_limit(kMaxHeadBytes);
  // Our own limit counts every byte; Beast 1.74 takes an absent limit for zero.
  impl_->parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  impl_->max_body_bytes = max_body_bytes;
  if (max_body_bytes) impl_->bytes_left = 2 * *max_body_bytes + kMaxHeadBytes;
}
ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

Result<void> ResponseReader::feed(std::string_view bytes) {
  auto& [parser, unread, asked_for_more, max_body_bytes, bytes_left] = *impl_;
  if (max_body_bytes) {
    if (bytes.size() > bytes_left) return too_long();
    bytes_left -= bytes.size();
  }
  unread += bytes;
  while (!unread.empty() && !parser.is_done()) {
    if (asked_for_more && unread.size() < kShortestEnd) return {};
    boost::beast::error_code error;
    const auto part = boost::asio::buffer(unread.data(), std::min(unread.size(), kMostAtOnce));
    const std::size_t used = parser.put(part, error);
    const std::size_t left = part.size() - used;
    unread.erase(0, used);
    // What Beast leaves of such a body is the beginning of a chunk's head, also where it says
    // nothing.
    asked_for_more = left != 0 && parser.is_header_done() && parser.chunked();
    if (max_body_bytes && parser.get().body().size() > *max_body_bytes) return too_long();
    if (error && error != http::error::need_more)
      return fail(ErrorKind::internal,
                  "what answers at the socket does not speak HTTP as expected: " + error.message());
    if (left == kMostAtOnce) return too_long();
    if (unread.size() == left && (error || used == 0)) return {};
  }
  if (parser.is_done()) unread.clear();
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
