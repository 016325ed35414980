// The parser alone: how the bytes of a request are cut up makes no difference.
#include "http/request_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shoal::http {
namespace {

using Status = RequestParser::Status;

// What the parser says after the last part.
Status outcome(const std::vector<std::string_view>& parts, const Limits& limits = {}) {
  RequestParser parser(limits);
  Status status = Status::need_more;
  for (auto part : parts) {
    parser.feed(as_bytes(part));
    status = parser.advance();
    if (status == Status::refused) break;
  }
  return status;
}

// The head never ends: what is wrong with it has to be seen without that.
TEST(RequestParser, AMalformedHeadIsRefusedAtOnceWhereverItIsCut) {
  const std::string requests[] = {
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nX",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\nX",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\nX",
      "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n",
      "GET / HTTP/1.1\nHost: h\n\n",
      "nonsense\r\n",
  };
  for (std::string_view request : requests)
    for (std::size_t border = 1; border < request.size(); ++border)
      EXPECT_EQ(outcome({request.substr(0, border), request.substr(border)}), Status::refused)
          << request << "\ncut at " << border;
}

TEST(RequestParser, AHeadByteByByteIsReadAsAtOnce) {
  const std::string_view request =
      "POST /x HTTP/1.1\r\nHost: h\r\nX-Folded: a\r\n b\r\nContent-Length: 3\r\n\r\nabc";
  std::vector<std::string_view> parts;
  for (std::size_t i = 0; i < request.size(); ++i) parts.push_back(request.substr(i, 1));
  EXPECT_EQ(outcome(parts), Status::complete);
  EXPECT_EQ(outcome({request}), Status::complete);
}

TEST(RequestParser, ALineWithoutEndIsRefusedAtTheLimit) {
  const std::string line(100, 'a');
  Limits limits;
  limits.max_header_bytes = 1000;
  std::vector<std::string_view> parts{"GET / HTTP/1.1\r\nX: "};
  for (int i = 0; i < 9; ++i) parts.push_back(line);
  EXPECT_EQ(outcome(parts, limits), Status::need_more);
  parts.push_back(line);
  EXPECT_EQ(outcome(parts, limits), Status::refused);
}

}  // namespace
}  // namespace shoal::http
