// The edge client against servers with faults: pieces arrive right or not at all, bad mirrors are
// left, slow and silent ones hold nothing up.
#include "edge_fixture.hpp"

namespace shoal::edge {
namespace {

TEST_F(EdgeClientTest, a_mirror_that_serves_wrong_bytes_is_dropped_and_the_other_takes_over) {
  server.set_fault(Fault::wrong_bytes);
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_TRUE(loop.run_until([&] { return mirror(0).dropped; }));
  EXPECT_FALSE(mirror(1).dropped);
  EXPECT_EQ(mirror(0).wrong_pieces, 1U);
  EXPECT_NE(mirror(0).last_error.find("wrong bytes"), std::string::npos);
}

TEST_F(EdgeClientTest, when_every_mirror_serves_wrong_bytes_the_pieces_fail_verification) {
  server.set_fault(Fault::wrong_bytes);
  second.set_fault(Fault::wrong_bytes);
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for_failures(24));
  EXPECT_TRUE(events.pieces.empty());
  for (const auto& [piece, failure] : events.failures)
    EXPECT_EQ(failure.first.kind, ErrorKind::verification_failed);
}

// Frame by frame, of two mirrors of which the first lies.
struct PartlyWrong : EdgeClientTest {
  void expect_first_is_found_out(Fault fault) {
    options.max_request_bytes = kFrameSize;
    server.set_fault(fault);
    start({server.url(), second.url()});
    edge->fetch(handle, wants(0, 2));
    ASSERT_TRUE(wait_for(2));
    EXPECT_TRUE(std::ranges::equal(events.pieces.at(0), artifact.plain(0)));
    EXPECT_TRUE(loop.run_until([&] { return mirror(0).dropped; }));
    EXPECT_EQ(mirror(0).wrong_pieces, 1U);
    EXPECT_GT(mirror(1).bytes, 0U);
    EXPECT_FALSE(mirror(1).dropped);
    EXPECT_EQ(mirror(1).wrong_pieces, 0U);
  }
};

// It gives the first frame of a piece, a wrong one, and has the others not: the honest mirror's
// frames never fit together with its own.
TEST_F(PartlyWrong, a_mirror_that_shirks_the_rest_is_found_out) {
  expect_first_is_found_out(Fault::bait);
}

// Then all of it, right, but compressed in another way than the honest one's: no proof against
// that one.
TEST_F(PartlyWrong, a_mirror_that_lied_cannot_have_an_honest_one_dropped) {
  artifact.put_otherwise_compressed_on(server);
  expect_first_is_found_out(Fault::wrong_once);
}

TEST_F(EdgeClientTest, the_only_mirror_is_asked_again_some_time_after_wrong_bytes) {
  options.dropped_retry_ms = 0;
  server.set_fault(Fault::wrong_bytes);
  start();
  edge->fetch(handle, wants(0, 1));
  ASSERT_TRUE(wait_for_failures(1));
  EXPECT_EQ(events.failures.at(0).first.kind, ErrorKind::verification_failed);
  server.set_fault(Fault::none);
  edge->fetch(handle, wants(0, 1));
  ASSERT_TRUE(wait_for(1));
}

// Whoever publishes a product could sign what no mirror can serve.
TEST_F(EdgeClientTest, wrong_bytes_without_right_ones_close_a_mirror_for_nothing_else) {
  auto wrong = *artifact.hashes;
  wrong[0].bytes[0] ^= 1;
  auto description = artifact.description({server.url(), second.url()});
  description.piece_hashes = std::make_shared<std::vector<Digest>>(wrong);
  start({server.url(), second.url()});
  auto unsound = edge->add(artifact.id, description, events);
  edge->fetch(unsound, wants(0, 1));
  ASSERT_TRUE(wait_for_failures(1));
  EXPECT_EQ(events.failures.at(0).first.kind, ErrorKind::verification_failed);
  for (std::size_t i : {0U, 1U}) {
    EXPECT_TRUE(loop.run_until([&] { return mirror(i).wrong_pieces == 1; })) << "but they are told";
    EXPECT_FALSE(mirror(i).dropped);
  }
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
}

// The first of two mirrors was dropped for wrong bytes; it is well again, and has another artifact.
struct DroppedMirror : EdgeClientTest {
  void drop_first() {
    server.set_fault(Fault::wrong_bytes);
    start({server.url(), second.url()});
    edge->fetch(handle, wants(0, 1));
    ASSERT_TRUE(wait_for(1));
    ASSERT_TRUE(loop.run_until([&] { return mirror(0).dropped; }));
    server.set_fault(Fault::none);
    other.put_on(server);
    description = other.description({server.url()});
  }
  void fetch_other() { edge->fetch(edge->add(other.id, description, events), wants(1, 2)); }

  Artifact other{4, 8, 2};
  transfer::EdgeArtifact description;
};

TEST_F(DroppedMirror, is_not_asked_for_another_artifact) {
  drop_first();
  fetch_other();
  ASSERT_TRUE(wait_for_failures(1));
  EXPECT_EQ(events.failures.at(1).first.kind, ErrorKind::verification_failed);
}

TEST_F(DroppedMirror, is_asked_again_after_a_while) {
  options.dropped_retry_ms = 0;
  drop_first();
  fetch_other();
  ASSERT_TRUE(wait_for(2));
  EXPECT_TRUE(std::ranges::equal(events.pieces.at(1), other.plain(1)));
  EXPECT_TRUE(loop.run_until([&] { return !mirror(0).dropped; }));
}

TEST_F(DroppedMirror, is_asked_by_another_repository) {
  drop_first();
  description.repository = 2;
  fetch_other();
  ASSERT_TRUE(wait_for(2));
  EXPECT_TRUE(mirror(0).dropped);
}

TEST_F(EdgeClientTest, while_every_mirror_is_left_alone_it_is_the_network_that_fails) {
  options.backoff_first_ms = options.backoff_max_ms = 20'000;
  server.set_fault(Fault::server_error);
  start();
  edge->fetch(handle, wants(0, 1));
  ASSERT_TRUE(wait_for_failures(1));
  edge->fetch(handle, wants(1, 2));  // nobody is asked
  ASSERT_TRUE(wait_for_failures(2));
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_EQ(events.failures.at(1).first.kind, ErrorKind::network);
}

// Each of these faults: the second mirror takes over; and alone, the mirror fails retryably.
struct FaultyMirror : EdgeClientTest, testing::WithParamInterface<Fault> {};

TEST_P(FaultyMirror, the_second_mirror_takes_over) {
  server.set_fault(GetParam());
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_FALSE(mirror(0).dropped);
}

TEST_P(FaultyMirror, alone_it_fails_retryably_and_works_again_once_it_recovers) {
  server.set_fault(GetParam());
  start();
  edge->fetch(handle, wants(0, 1));
  ASSERT_TRUE(wait_for_failures(1));
  auto [error, retry_after_ms] = events.failures.at(0);
  EXPECT_TRUE(error.retryable()) << error.describe();
  EXPECT_GT(retry_after_ms, 0U);
  server.set_fault(Fault::none);
  auto again = [&] {
    if (events.failures.erase(0) != 0) edge->fetch(handle, wants(0, 1));
    return events.pieces.size() == 1;
  };
  EXPECT_TRUE(loop.run_until(again));
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultyMirror,
                         testing::Values(Fault::wrong_range, Fault::ignores_range, Fault::truncated,
                                         Fault::silent, Fault::not_found, Fault::not_satisfiable,
                                         Fault::server_error, Fault::redirect_loop,
                                         Fault::encoded));

TEST_F(EdgeClientTest, an_endless_body_is_broken_off_at_the_last_byte_asked_for) {
  server.set_fault(Fault::endless);
  start();
  edge->fetch(handle, wants(0, 8));
  ASSERT_TRUE(wait_for(8));
  ASSERT_TRUE(loop.run_until([&] { return !mirror(0).last_error.empty(); }));
  EXPECT_EQ(mirror(0).bytes, artifact.index->bundle_sizes[0]);
}

TEST_F(EdgeClientTest, a_mirror_that_refuses_connections_is_passed_over) {
  server.stop_listening();
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_FALSE(mirror(0).last_error.empty());
}

TEST_F(EdgeClientTest, the_edge_dies_and_returns) {
  start();
  edge->fetch(handle, wants(0, 4));
  ASSERT_TRUE(wait_for(4));
  server.stop_listening();
  edge->fetch(handle, wants(4, 24));
  ASSERT_TRUE(wait_for_failures(20));
  EXPECT_EQ(events.failures.at(4).first.kind, ErrorKind::network);
  server.start_listening();
  auto again = [&] {
    for (const auto& [piece, failure] : std::exchange(events.failures, {}))
      edge->fetch(handle, wants(piece, piece + 1));
    return events.pieces.size() == 24;
  };
  ASSERT_TRUE(loop.run_until(again));
  expect_all_right();
}

TEST_F(EdgeClientTest, an_object_that_one_mirror_lacks_is_fetched_from_the_other) {
  TestServer partial;
  auto first_bundle = artifact.bundles.begin();
  partial.put(first_bundle->first, first_bundle->second);
  start({partial.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
}

// No low speed is too low in these: only silence counts.
struct SilentMirror : EdgeClientTest {
  SilentMirror() {
    options.low_speed_bytes_per_s = 1;
    options.low_speed_seconds = 15;
    options.silence_ms = 200;
  }
};

TEST_F(SilentMirror, a_request_without_a_byte_is_broken_off_and_asked_for_elsewhere) {
  server.set_fault(Fault::silent);
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_TRUE(loop.run_until([&] {
    return mirror(0).last_error.find("not a byte for 0.") != std::string::npos;
  })) << mirror(0).last_error;
  EXPECT_FALSE(mirror(0).dropped);
}

TEST_F(SilentMirror, when_there_is_no_other_the_piece_is_given_back_at_once) {
  server.close_gate();
  start();
  edge->fetch(handle, wants(0, 2));
  ASSERT_TRUE(wait_for_failures(2));
  EXPECT_EQ(events.failures.at(0).first.kind, ErrorKind::network_timeout);
  EXPECT_GT(events.failures.at(0).second, 0U);
  server.open_gate();
  auto again = [&] {
    for (const auto& [piece, failure] : std::exchange(events.failures, {}))
      edge->fetch(handle, wants(piece, piece + 1));
    return events.pieces.size() == 2;
  };
  EXPECT_TRUE(loop.run_until(again));
}

TEST_F(SilentMirror, the_time_that_our_own_limit_holds_a_request_up_is_no_silence) {
  start();
  fetch_all();
  ASSERT_TRUE(wait_for(1));
  std::uint64_t stored = 0;
  for (const auto& [path, bytes] : artifact.bundles) stored += bytes.size();
  edge->set_download_limit(stored / 3);  // a read of 128 KiB is waited for longer than silence_ms
  edge->cancel(handle, pieces(0, 24));
  events.pieces.clear();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  EXPECT_TRUE(events.failures.empty());
  EXPECT_EQ(mirror(0).last_error, "");
}

TEST_F(SilentMirror, one_that_is_not_known_is_asked_for_little_and_holds_nothing_up) {
  options.silence_ms = 14'000;
  second.close_gate();
  start({server.url(), second.url()});
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  auto asked = second.requests();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_LE(asked[0].end - asked[0].begin, 256U * 1024);
  EXPECT_EQ(mirror(1).last_error, "") << "it was slow, which is no failure";
  second.open_gate();
}

}  // namespace
}  // namespace shoal::edge
