// Answers of whatever listens at the daemon's socket: read in any pieces, and never kept without
// end.
#include "client/response_reader.hpp"

#include <gtest/gtest.h>

namespace shoal::client {
namespace {

const std::string kStreamHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// Fed in pieces of 1,000 bytes, until one is refused.
Result<void> feed_in_pieces(ResponseReader& reader, std::string_view text) {
  for (std::size_t at = 0; at < text.size(); at += 1000)
    SHOAL_TRY(reader.feed(text.substr(at, 1000)));
  return {};
}

TEST(ResponseReader, TheFrameOfAChunkIsBoundedInAStream) {
  const std::string filler(70'000, 'a');
  for (const std::string& frame :
       {"0\r\nA: " + filler + "\r\n\r\n", "0;" + filler + "\r\n\r\n", "0\r\n" + filler}) {
    ResponseReader in_pieces(std::nullopt), at_once(std::nullopt);
    EXPECT_FALSE(feed_in_pieces(in_pieces, kStreamHead + frame)) << frame.substr(0, 5);
    EXPECT_FALSE(at_once.feed(kStreamHead + frame)) << frame.substr(0, 5);
  }
}

TEST(ResponseReader, WhatComesAfterTheWholeIsNotKept) {
  ResponseReader reader(std::nullopt);
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more"));
  ASSERT_TRUE(reader.feed(std::string(100'000, 'x')));
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(reader.take_body(), "hi");
}

// An event must not wait for the next one, however long it is.
TEST(ResponseReader, EveryByteOfAChunkComesAtOnce) {
  for (std::size_t length : {1U, 4U, 100U, 32'000U, 32'763U, 32'764U, 32'768U, 100'000U}) {
    ResponseReader reader(std::nullopt);
    ASSERT_TRUE(reader.feed(kStreamHead));
    const std::string event(length, 'e');
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", length);
    ASSERT_TRUE(reader.feed(size + event + "\r\n"));
    EXPECT_EQ(reader.take_body().size(), length);
  }
}

}  // namespace
}  // namespace shoal::client
