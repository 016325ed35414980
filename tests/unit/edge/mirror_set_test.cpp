// Which mirror is asked next and for how much, how long its silence is borne, and when another one
// takes over.
#include "edge/mirror_set.hpp"

#include <gtest/gtest.h>

namespace shoal::edge {
namespace {

using Fault = RequestFailure::Fault;
using Kind = MirrorSet::Choice::Kind;

constexpr std::uint64_t kMuch = 1ULL << 40;  // wanted: more than anybody brings soon

MirrorLimits test_limits() {
  MirrorLimits limits;
  limits.connections = 2;
  limits.backoff_first_ms = 1000;
  limits.backoff_max_ms = 8000;
  limits.patience_ms = 500;
  return limits;
}

struct Mirrors : testing::Test {
  MirrorSet set{test_limits(), 1};
  MirrorId a = set.add(1, "http://a");
  MirrorId b = set.add(1, "http://b");
  std::vector<MirrorId> both{a, b};
  std::vector<MirrorId> only{a};
  RequestFailure down{Fault::mirror, {ErrorKind::network, "down", {}}};

  MirrorSet::Choice choose(std::span<const MirrorId> among, std::uint64_t now_ms,
                           std::uint64_t open_bytes = kMuch) {
    return set.choose(among, {}, open_bytes, now_ms);
  }
  // A request in the second before now_ms that went well.
  void measure(MirrorId mirror, std::uint64_t bytes_per_s, std::uint64_t now_ms = 1000) {
    auto request = set.started(mirror, now_ms - 1000);
    set.received(mirror, bytes_per_s);
    set.succeeded(request, 0, now_ms);
  }
  void fail(MirrorId mirror, std::uint64_t now_ms) {
    set.failed(set.started(mirror, now_ms), down, now_ms);
  }
};

TEST_F(Mirrors, the_first_is_preferred_until_more_is_known) {
  EXPECT_EQ(choose(both, 0).mirror, a);
}

TEST_F(Mirrors, one_that_is_not_known_gets_one_small_request) {
  for (auto expected : both) {
    auto choice = choose(both, 0);
    ASSERT_EQ(choice.kind, Kind::ask);
    EXPECT_EQ(choice.mirror, expected);
    EXPECT_EQ(choice.bytes, 256U * 1024);
    set.started(choice.mirror, 0);
  }
  EXPECT_EQ(choose(both, 0).kind, Kind::busy);
}

TEST_F(Mirrors, one_that_is_alone_needs_no_trial) {
  EXPECT_EQ(choose(only, 0).bytes, 4ULL << 20);
  set.started(a, 0);
  EXPECT_EQ(choose(only, 0).bytes, 4ULL << 20);
  set.drop(b, "wrong bytes", 0);
  EXPECT_EQ(choose(both, 0).bytes, 4ULL << 20);
}

TEST_F(Mirrors, one_whose_neighbour_has_just_failed_is_tried_with_a_small_request_too) {
  measure(a, 5'000'000);
  fail(a, 1000);
  auto choice = choose(both, 1001);
  EXPECT_EQ(choice.mirror, b);
  EXPECT_EQ(choice.bytes, 256U * 1024);
}

// As after a moment of silence: four large requests would otherwise go to what may be a modem.
TEST_F(Mirrors, one_that_is_not_known_is_tried_although_its_neighbour_is_out_of_the_question) {
  auto choice = set.choose(both, only, kMuch, 0);
  ASSERT_EQ(choice.kind, Kind::ask);
  EXPECT_EQ(choice.mirror, b);
  EXPECT_EQ(choice.bytes, 256U * 1024);
  set.started(b, 0);
  EXPECT_EQ(set.choose(both, only, kMuch, 0).kind, Kind::busy);
}

TEST_F(Mirrors, what_is_wanted_first_goes_to_the_one_that_is_known) {
  measure(b, 1'000'000);
  EXPECT_EQ(choose(both, 1000).mirror, b);
  set.started(b, 1000);
  set.started(b, 1000);
  EXPECT_EQ(choose(both, 1000).mirror, a);
}

TEST_F(Mirrors, load_spreads_over_mirrors_and_stops_at_the_limit) {
  measure(a, 1'000'000);
  measure(b, 1'000'000);
  std::vector<int> asked(2);
  for (int i = 0; i < 4; ++i) {
    auto choice = choose(both, 1000);
    ASSERT_EQ(choice.kind, Kind::ask);
    set.started(choice.mirror, 1000);
    ++asked[choice.mirror];
  }
  EXPECT_EQ(asked, (std::vector<int>{2, 2}));
  EXPECT_EQ(choose(both, 1000).kind, Kind::busy);
}

TEST_F(Mirrors, the_faster_one_is_asked_more) {
  measure(a, 1'000'000);
  measure(b, 10'000'000);
  EXPECT_EQ(choose(both, 1000).mirror, b);
  set.started(b, 1000);
  EXPECT_EQ(choose(both, 1000).mirror, b);
}

TEST_F(Mirrors, all_requests_to_one_together_last_about_five_seconds) {
  measure(a, 400'000);
  EXPECT_EQ(choose(only, 1000).bytes, 400'000U * 5 / 2);
  measure(b, 400'000'000);
  EXPECT_EQ(choose(std::vector{b}, 1000).bytes, 4ULL << 20);
}

TEST_F(Mirrors, the_rate_is_that_of_all_requests_together) {
  auto first = set.started(a, 0);
  auto second = set.started(a, 0);
  set.received(a, 1'000'000);
  set.succeeded(first, 0, 1000);
  set.succeeded(second, 0, 1000);
  EXPECT_EQ(choose(only, 1000).bytes, 1'000'000U * 5 / 2);
}

TEST_F(Mirrors, a_slow_one_is_asked_for_what_it_brings_before_the_end_and_no_more) {
  measure(a, 5'000'000);
  measure(b, 250'000);
  set.started(a, 1000);
  set.started(a, 1000);
  EXPECT_EQ(choose(both, 1000).bytes, 250'000U * 5 / 2);
  auto choice = choose(both, 1000, 10'500'000);  // two seconds for both
  EXPECT_EQ(choice.mirror, b);
  EXPECT_EQ(choice.bytes, 250'000U * 2 / 2);
  EXPECT_EQ(choose(both, 1000, 2'000'000).kind, Kind::busy);
}

TEST_F(Mirrors, the_fastest_that_answers_is_asked_however_little_is_left) {
  measure(a, 5'000'000);
  measure(b, 250'000);
  fail(a, 1000);
  auto choice = choose(both, 1001, 1000);
  EXPECT_EQ(choice.kind, Kind::ask);
  EXPECT_EQ(choice.mirror, b);
}

TEST_F(Mirrors, an_old_rate_is_measured_again) {
  measure(a, 5'000'000);
  measure(b, 250'000);
  EXPECT_EQ(choose(both, 61'001).bytes, 256U * 1024);
}

TEST_F(Mirrors, the_rest_of_a_slow_request_would_come_sooner_from_a_fast_one_that_is_free) {
  measure(a, 5'000'000);
  measure(b, 250'000);
  auto slow = set.started(b, 1000);
  auto overtakes = [&](std::uint64_t received, std::uint64_t remaining, std::uint64_t now_ms) {
    return set.would_overtake(slow, received, remaining, both, {}, now_ms);
  };
  EXPECT_TRUE(overtakes(0, 1'000'000, 1000));  // as is known of both
  EXPECT_FALSE(overtakes(0, 100'000, 1000));   // not worth it
  EXPECT_TRUE(overtakes(50'000, 1'000'000, 2000));
  EXPECT_FALSE(overtakes(4'000'000, 1'000'000, 2000));  // it is fast, as it turns out
  EXPECT_FALSE(set.would_overtake(slow, 0, 1'000'000, both, only, 1000));
  EXPECT_FALSE(set.would_overtake(set.started(a, 1000), 0, 1'000'000, both, {}, 1000));
  set.started(a, 1000);
  EXPECT_FALSE(overtakes(50'000, 1'000'000, 2000)) << "the fast one is busy";
}

TEST_F(Mirrors, one_that_was_overtaken_is_known_to_be_slow) {
  measure(a, 5'000'000);
  measure(b, 5'000'000);
  auto request = set.started(b, 1000);
  set.received(b, 1000);
  set.overtaken(request, 2000);
  set.started(a, 2000);
  set.started(a, 2000);
  EXPECT_EQ(choose(both, 2000, 4'000'000).kind, Kind::busy);
}

TEST_F(Mirrors, silence_is_borne_for_some_seconds_and_longer_where_it_is_usual) {
  EXPECT_EQ(set.silence_limit_ms(a), 4000U);
  set.succeeded(set.started(a, 0), 500, 1000);
  EXPECT_EQ(set.silence_limit_ms(a), 4000U);
  set.succeeded(set.started(a, 0), 2000, 2000);
  EXPECT_EQ(set.silence_limit_ms(a), 8000U);
  set.succeeded(set.started(a, 0), 60'000, 60'000);
  EXPECT_EQ(set.silence_limit_ms(a), 15'000U);
}

TEST_F(Mirrors, after_each_failure_silence_is_borne_for_longer) {
  fail(a, 0);
  EXPECT_EQ(set.silence_limit_ms(a), 8000U);
  for (std::uint64_t now = 100'000; now < 2'000'000; now += 100'000) fail(a, now);
  EXPECT_EQ(set.silence_limit_ms(a), 15'000U);
  set.succeeded(set.started(a, 0), 10, 3'000'000);
  EXPECT_EQ(set.silence_limit_ms(a), 4000U);
}

TEST_F(Mirrors, one_that_failed_is_left_alone_for_longer_each_time) {
  std::uint64_t now = 0;
  std::uint64_t previous = 0;
  for (int i = 0; i < 4; ++i) {
    fail(a, now);
    std::uint64_t wait = *set.earliest(only) - now;
    EXPECT_GE(wait, 500ULL << i);
    EXPECT_LE(wait, 1000ULL << i);
    EXPECT_GE(wait, previous / 2);
    previous = wait;
    now += wait + 1;
    EXPECT_EQ(choose(only, now).kind, Kind::ask);
  }
  EXPECT_EQ(set.statuses()[a].last_error, "down");
}

TEST_F(Mirrors, requests_that_fail_together_count_once) {
  auto one = set.started(a, 5);
  auto other = set.started(a, 6);
  set.failed(one, down, 10);
  auto first = *set.earliest(only);
  set.failed(other, down, 11);
  EXPECT_EQ(*set.earliest(only), first);
}

TEST_F(Mirrors, a_short_backoff_is_waited_for_and_a_long_one_reported) {
  fail(a, 0);
  auto at = *set.earliest(only);
  EXPECT_EQ(choose(only, at - 400).kind, Kind::wait);
  EXPECT_EQ(choose(only, at - 501).kind, Kind::failing);
}

TEST_F(Mirrors, a_server_that_asks_for_patience_gets_it) {
  down.retry_after_ms = 30'000;
  fail(a, 0);
  EXPECT_EQ(*set.earliest(only), 30'000U);
}

TEST_F(Mirrors, a_dropped_one_is_not_asked_again_for_some_minutes) {
  set.drop(a, "wrong bytes", 1000);
  set.forgive(a, 1000 + 599'999);
  EXPECT_EQ(choose(both, 1ULL << 40).mirror, b);
  EXPECT_EQ(choose(only, 1ULL << 40).kind, Kind::none);
  EXPECT_EQ(set.add(1, "http://a"), a);
  EXPECT_TRUE(set.statuses()[a].dropped);
  set.forgive(a, 1000 + 600'000);
  EXPECT_EQ(choose(only, 1ULL << 40).kind, Kind::ask);
}

TEST_F(Mirrors, one_that_is_blamed_is_still_asked) {
  set.blame(a, "wrong bytes");
  EXPECT_EQ(set.statuses()[a].wrong_pieces, 1U);
  EXPECT_EQ(choose(only, 1ULL << 40).kind, Kind::ask);
}

TEST_F(Mirrors, a_dropped_one_is_asked_by_another_repository) {
  MirrorId others = set.add(2, "http://a");
  set.drop(others, "wrong bytes", 0);
  EXPECT_EQ(choose(only, 1ULL << 40).kind, Kind::ask);
  EXPECT_EQ(choose(std::vector{others}, 1ULL << 40).kind, Kind::none);
}

}  // namespace
}  // namespace shoal::edge
