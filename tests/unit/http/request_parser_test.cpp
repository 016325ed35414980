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

std::vector<std::string_view> byte_by_byte(std::string_view request) {
  std::vector<std::string_view> parts;
  parts.reserve(request.size());
  for (std::size_t i = 0; i < request.size(); ++i) parts.push_back(request.substr(i, 1));
  return parts;
}

TEST(RequestParser, AHeadByteByByteIsReadAsAtOnce) {
  const std::string_view request =
      "POST /x HTTP/1.1\r\nHost: h\r\nX-Folded: a\r\n b\r\nContent-Length: 3\r\n\r\nabc";
  EXPECT_EQ(outcome(byte_by_byte(request)), Status::complete);
  EXPECT_EQ(outcome({request}), Status::complete);
}

TEST(RequestParser, AChunkedBodyByteByByteIsReadAsAtOnce) {
  const std::string head = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body :
       {"0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n00\r\nTrailer: x\r\n\r\n"}) {
    EXPECT_EQ(outcome(byte_by_byte(head + body)), Status::complete) << body;
    EXPECT_EQ(outcome({head + body}), Status::complete) << body;
  }
  for (const std::string body : {"0T\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "x\r\n\r\n\r\n"}) {
    EXPECT_EQ(outcome(byte_by_byte(head + body)), Status::refused) << body;
    EXPECT_EQ(outcome({head + body}), Status::refused) << body;
  }
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
