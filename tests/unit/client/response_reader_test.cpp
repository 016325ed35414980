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

TEST(ResponseReader, ReadsChunkedBodiesInPieces) {
  std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
  ResponseReader reader(1000);
  std::string body;
  for (char c : text) {
    ASSERT_TRUE(reader.feed({&c, 1}));
    body += reader.head_complete() ? reader.take_body() : "";
  }
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(body, "hello world");
}

// Beast wants to see no less than five bytes once it has seen a last chunk's size.
TEST(ResponseReader, ALastChunkWaitsForItsEndInPiecesOfAnySize) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::string end : {"0\r\n\r\n", "00\r\n\r\n", "0;a=b\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"}) {
    const std::string text = head + end;
    for (std::size_t first = 0; first <= text.size(); ++first) {
      for (std::size_t second = first; second <= text.size(); ++second) {
        ResponseReader reader(1000);
        for (const auto& part :
             {text.substr(0, first), text.substr(first, second - first), text.substr(second)})
          ASSERT_TRUE(reader.feed(part)) << end << first << ' ' << second;
        EXPECT_TRUE(reader.complete()) << end << first << ' ' << second;
      }
    }
  }
  ResponseReader unfinished(1000);
  EXPECT_TRUE(unfinished.feed(head.substr(0, 30)));
  EXPECT_TRUE(unfinished.feed(head.substr(30) + "0 \r\n"));
  EXPECT_FALSE(unfinished.end());
}

TEST(ResponseReader, AHeadWithoutFieldsMayComeInPieces) {
  const std::string text = "HTTP/1.1 204 No Content\r\n\r\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    ResponseReader reader(1000);
    ASSERT_TRUE(reader.feed(text.substr(0, cut)));
    ASSERT_TRUE(reader.feed(text.substr(cut)));
    EXPECT_TRUE(reader.complete()) << cut;
  }
}

TEST(ResponseReader, CutOffAnswerIsNoAnswer) {
  ResponseReader reader(1000);
  ASSERT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhell"));
  EXPECT_FALSE(reader.end());
  EXPECT_FALSE(ResponseReader(1000).end()) << "nothing at all came";
}

TEST(ResponseReader, RefusesTooMuchAndNonsense) {
  ResponseReader large(10);
  Result<void> fed = large.feed("HTTP/1.1 200 OK\r\n\r\n");
  for (int i = 0; i < 1000 && fed; ++i) fed = large.feed(std::string(1000, 'x'));
  EXPECT_FALSE(fed);
  ResponseReader longer_by_one(10);
  EXPECT_FALSE(longer_by_one.feed("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890"));
  ResponseReader nonsense(10);
  EXPECT_FALSE(nonsense.feed("SSH-2.0-OpenSSH\r\n\r\n"));
}

TEST(ResponseReader, ALengthThatIsOnlyAnnouncedTakesNoMemory) {
  for (std::optional<std::uint64_t> limit : {std::optional<std::uint64_t>(1000), {}}) {
    ResponseReader reader(limit);
    EXPECT_TRUE(reader.feed("HTTP/1.1 200 OK\r\nContent-Length: 7777777777777777777\r\n\r\n{"));
    EXPECT_EQ(reader.take_body(), "{");
    EXPECT_FALSE(reader.end());
  }
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
