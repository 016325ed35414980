// The pure parts of the edge client: ranges, planning, rates.
#include <gtest/gtest.h>

#include "edge/frame_planner.hpp"
#include "edge/range_response.hpp"
#include "edge/rates.hpp"

namespace shoal::edge {
namespace {

using Fault = RequestFailure::Fault;

const RangeRequest kRequest{"http://m/bundles/x", {100, 200}, 1000};

ResponseHead good_head() { return {206, "bytes 100-199/1000", "", 100}; }

TEST(ContentRange, well_formed_ranges_are_read) {
  auto range = parse_content_range("bytes 0-9/10");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->range, (ByteRange{0, 10}));
  EXPECT_EQ(range->object_size, 10U);
  ASSERT_TRUE(parse_content_range("bytes 5-5/*"));
  EXPECT_FALSE(parse_content_range("bytes 5-5/*")->object_size);
}

TEST(ContentRange, malformed_ranges_are_refused) {
  for (const char* text : {"", "bytes", "bytes */10", "bytes 9-0/10", "bytes 0-9/9", "bytes 0-9",
                           "bytes 0-9/10x", "octets 0-9/10", "bytes -9/10", "bytes 0-/10",
                           "bytes 0-18446744073709551615/*", "bytes 0-99999999999999999999/*"})
    EXPECT_FALSE(parse_content_range(text)) << text;
}

TEST(Response, exactly_the_range_asked_for_is_accepted) {
  EXPECT_FALSE(check_response(kRequest, good_head()));
}

TEST(Response, another_range_is_the_mirrors_fault) {
  for (const char* range : {"bytes 101-200/1000", "bytes 100-198/1000", "bytes 100-199/1001", ""}) {
    auto head = good_head();
    head.content_range = range;
    auto failure = check_response(kRequest, head);
    ASSERT_TRUE(failure) << range;
    EXPECT_EQ(failure->fault, Fault::mirror);
  }
}

TEST(Response, the_whole_object_is_accepted_only_when_all_of_it_was_wanted) {
  ResponseHead whole{200, "", "", 1000};
  EXPECT_TRUE(check_response(kRequest, whole));
  EXPECT_FALSE(check_response({"http://m/x", {0, 1000}, 1000}, whole));
}

TEST(Response, a_body_of_another_length_or_encoding_is_refused) {
  auto head = good_head();
  head.content_length = 99;
  EXPECT_TRUE(check_response(kRequest, head));
  head = good_head();
  head.content_encoding = "gzip";
  EXPECT_TRUE(check_response(kRequest, head));
}

TEST(Response, a_missing_object_is_not_the_whole_mirrors_fault) {
  for (int status : {403, 404, 410, 416})
    EXPECT_EQ(check_response(kRequest, {status, "", "", -1})->fault, Fault::object);
  for (int status : {500, 503, 429, 302, 204})
    EXPECT_EQ(check_response(kRequest, {status, "", "", -1})->fault, Fault::mirror);
}

// --- planner ---

WantedFrame frame_at(std::uint64_t offset, std::uint32_t size, JobId job = 1,
                     std::uint32_t frame = 0, std::uint32_t bundle = 0) {
  return {bundle, offset, size, job, frame};
}
const auto kAdmitAll = [](const WantedFrame&) { return true; };

TEST(ResponseHead, keeps_what_matters_of_the_last_answer) {
  ResponseHead head;
  read_header_line(head, "HTTP/1.1 302 Found\r\n");
  read_header_line(head, "Content-Encoding: gzip\r\n");
  read_header_line(head, "HTTP/1.1 206 Partial Content\r\n");
  read_header_line(head, "CONTENT-RANGE:\tBytes 0-9/10 \r\n");
  read_header_line(head, "no colon");
  EXPECT_EQ(head.content_encoding, "");
  EXPECT_EQ(head.content_range, "bytes 0-9/10");
}

TEST(ResponseHead, a_server_cannot_steer_the_terminal_that_shows_its_words) {
  ResponseHead head;
  read_header_line(head, "Content-Encoding: \x1b]0;owned\x07\xff\r\n");
  EXPECT_EQ(head.content_encoding, "?]0;owned??");
  read_header_line(head, "Content-Encoding: " + std::string(10 * kMaxHeaderBytes, 'x'));
  EXPECT_EQ(head.content_encoding.size(), kMaxHeaderBytes);
}

TEST(RetryAfter, is_at_most_an_hour) {
  EXPECT_EQ(retry_after_ms(-1), 0U);
  EXPECT_EQ(retry_after_ms(7), 7'000U);
  EXPECT_EQ(retry_after_ms(INT64_MAX), 3'600'000U);
}

TEST(Planner, neighbours_become_one_request) {
  FramePlanner planner;
  for (std::uint32_t i = 0; i < 4; ++i) planner.add(frame_at(i * 100, 100, 1, i));
  auto plan = planner.take(frame_at(0, 100, 1, 0), {1000, 0}, kAdmitAll);
  EXPECT_EQ(plan.range, (ByteRange{0, 400}));
  EXPECT_EQ(plan.frames.size(), 4U);
  EXPECT_TRUE(planner.empty());
}

TEST(Planner, small_holes_are_read_over_and_large_ones_are_not) {
  FramePlanner planner;
  planner.add(frame_at(0, 100, 1));
  planner.add(frame_at(150, 100, 2));
  planner.add(frame_at(351, 100, 3));
  auto plan = planner.take(frame_at(0, 100, 1), {1000, 100}, kAdmitAll);
  EXPECT_EQ(plan.range, (ByteRange{0, 250}));
  EXPECT_FALSE(planner.empty());
}

TEST(Planner, a_request_ends_at_the_limit_but_takes_at_least_one_frame) {
  FramePlanner planner;
  planner.add(frame_at(0, 500, 1));
  planner.add(frame_at(500, 100, 2));
  auto plan = planner.take(frame_at(0, 500, 1), {400, 0}, kAdmitAll);
  EXPECT_EQ(plan.range, (ByteRange{0, 500}));
  EXPECT_EQ(plan.frames.size(), 1U);
}

TEST(Planner, bundles_are_not_joined) {
  FramePlanner planner;
  planner.add(frame_at(0, 100, 1, 0, 0));
  planner.add(frame_at(100, 100, 2, 0, 1));
  EXPECT_EQ(planner.take(frame_at(0, 100, 1, 0, 0), {1000, 100}, kAdmitAll).frames.size(), 1U);
}

TEST(Planner, a_frame_that_is_not_admitted_ends_the_request_and_stays_wanted) {
  FramePlanner planner;
  for (std::uint32_t i = 0; i < 3; ++i) planner.add(frame_at(i * 100, 100, i));
  auto plan = planner.take(frame_at(0, 100, 0), {1000, 0},
                           [](const WantedFrame& frame) { return frame.job != 2; });
  EXPECT_EQ(plan.range, (ByteRange{0, 200}));
  EXPECT_FALSE(planner.empty());
}

TEST(Planner, knows_how_many_bytes_are_wanted) {
  FramePlanner planner;
  for (std::uint32_t i = 0; i < 3; ++i) planner.add(frame_at(i * 100, 100, i));
  planner.add(frame_at(0, 100, 0));
  EXPECT_EQ(planner.bytes(), 300U);
  planner.remove(frame_at(100, 100, 1));
  planner.remove(frame_at(100, 100, 1));
  EXPECT_EQ(planner.bytes(), 200U);
  planner.take(frame_at(0, 100, 0), {1000, 0}, kAdmitAll);
  EXPECT_EQ(planner.bytes(), 100U);
}

TEST(Planner, two_pieces_with_the_same_bytes_fetch_them_once) {
  FramePlanner planner;
  planner.add(frame_at(0, 100, 1));
  planner.add(frame_at(0, 100, 2));
  auto plan = planner.take(frame_at(0, 100, 1), {1000, 0}, kAdmitAll);
  EXPECT_EQ(plan.range, (ByteRange{0, 100}));
  EXPECT_EQ(plan.frames.size(), 2U);
}

// --- rates ---

TEST(RateMeter, tells_the_rate_of_the_last_two_seconds) {
  RateMeter meter;
  for (std::uint64_t t = 10'000; t < 14'000; t += 10) meter.add(1000, t);
  EXPECT_NEAR(static_cast<double>(meter.bytes_per_s(13'999)), 100'000, 1000);
  EXPECT_EQ(meter.bytes_per_s(17'000), 0U);
}

TEST(TokenBucket, no_limit_never_holds_up) {
  TokenBucket bucket;
  bucket.take(1ULL << 40);
  EXPECT_TRUE(bucket.may_receive(0));
}

TEST(TokenBucket, holds_the_long_run_rate_whatever_the_size_of_reads) {
  for (std::uint64_t limit : {700ULL, 100'000ULL, 50'000'000ULL}) {
    TokenBucket bucket;
    bucket.set_limit(limit);
    std::uint64_t received = 0;
    for (std::uint64_t t = 1000; t < 101'000; ++t)
      while (bucket.may_receive(t)) {
        bucket.take(16'384);
        received += 16'384;
      }
    EXPECT_NEAR(static_cast<double>(received), static_cast<double>(limit) * 100,
                static_cast<double>(limit) * 2 + 16'384);
  }
}

}  // namespace
}  // namespace shoal::edge
