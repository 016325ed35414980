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

TEST(RequestParser, TheStartLineAndTheFieldsHaveOneLimit) {
  const std::string half(600, 'a');
  Limits limits;
  limits.max_header_bytes = 1000;
  const std::string head = "GET /" + half + " HTTP/1.1\r\nHost: h\r\nX: " + half + "\r\n\r\n";
  EXPECT_EQ(outcome({head}, limits), Status::refused);
  EXPECT_EQ(outcome(byte_by_byte(head), limits), Status::refused);
  limits.max_header_bytes = head.size();
  EXPECT_EQ(outcome({head}, limits), Status::complete);
  EXPECT_EQ(outcome(byte_by_byte(head), limits), Status::complete);
}

const std::string_view kChunkedHead =
    "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

// Beast's fields hold 64 KiB each and throw beyond; nothing of Beast bounds what is kept of these.
TEST(RequestParser, TheFrameOfAChunkIsRefusedAtTheLimit) {
  const std::string filler(70'000, 'a');
  for (const std::string& frame :
       {"0\r\nA: " + filler + "\r\n\r\n", "0;" + filler + "\r\n\r\n", filler}) {
    const std::string request = std::string(kChunkedHead) + frame;
    EXPECT_EQ(outcome({request}), Status::refused) << frame.substr(0, 5);
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at < request.size(); at += 1000)
      parts.push_back(std::string_view(request).substr(at, 1000));
    parts.resize(20);  // 20,000 bytes, of which 16 KiB and a part are too much
    EXPECT_EQ(outcome(parts), Status::refused) << frame.substr(0, 5);
  }
}

TEST(RequestParser, ALargeChunkIsReadInPieces) {
  const std::string body(100'000, 'b');
  EXPECT_EQ(outcome({std::string(kChunkedHead) + "186a0\r\n" + body + "\r\n0\r\n\r\n"}),
            Status::complete);
  EXPECT_EQ(outcome({"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + body}),
            Status::complete);
}

TEST(RequestParser, WhatComesAfterTheBodyIsNoHeader) {
  RequestParser parser({});
  parser.feed(as_bytes(std::string(kChunkedHead) + "0\r\nHost: other\r\nX-Late: 1\r\n\r\n"));
  ASSERT_EQ(parser.advance(), Status::complete);
  auto request = parser.take();
  EXPECT_EQ(request.header("host"), "h");
  EXPECT_EQ(request.header("x-late"), "");
}

TEST(RequestParser, NoTransferCodingButChunkedIsKnown) {
  for (std::string_view coding : {"chunked;x=1", "gzip, chunked", "chunked gzip", "identity",
                                  "chunked\r\nTransfer-Encoding: chunked"})
    EXPECT_EQ(outcome({std::string("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ")
                           .append(coding)
                           .append("\r\n\r\n0\r\n\r\n")}),
              Status::refused)
        << coding;
  EXPECT_EQ(outcome({"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"}),
            Status::complete);
}

}  // namespace
}  // namespace shoal::http
