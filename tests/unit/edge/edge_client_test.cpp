// The edge client and pieces: they come right, once, with as few requests and as little memory as
// promised, and not after they were cancelled.
#include "edge_fixture.hpp"

namespace shoal::edge {
namespace {

TEST_F(EdgeClientTest, fetches_every_piece_with_one_request_for_each_run_of_neighbours) {
  start();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_EQ(server.requests().size(), 3U);  // three bundles
  std::uint64_t stored = 0;
  for (const auto& [path, bytes] : artifact.bundles) stored += bytes.size();
  EXPECT_EQ(events.wire_bytes, stored);
  EXPECT_TRUE(loop.run_until([&] { return mirror(0).bytes == stored; }));
}

TEST_F(EdgeClientTest, holes_larger_than_the_limit_are_not_fetched) {
  options.max_gap_bytes = 0;
  start();
  edge->fetch(handle, {{PieceIndex(0)}, {PieceIndex(1)}, {PieceIndex(3)}});
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(server.requests().size(), 2U);
}

TEST_F(EdgeClientTest, only_the_frames_that_are_needed_cross_the_network) {
  options.max_gap_bytes = 0;
  auto whole = artifact.plain(5);
  std::copy(whole.begin(), whole.end(), artifact.store->image.begin() + 5 * kPieceSize);
  std::fill_n(artifact.store->image.begin() + 5 * kPieceSize + kFrameSize, kFrameSize, 0);
  start();
  edge->fetch(handle, {{PieceIndex(5), 0b0010}});
  ASSERT_TRUE(wait_for(1));
  EXPECT_TRUE(std::ranges::equal(events.pieces.at(5), whole));
  EXPECT_EQ(events.wire_bytes, artifact.index->pieces[5].frames[1].stored_size);
}

TEST_F(EdgeClientTest, a_piece_that_does_not_fit_the_disk_is_fetched_whole_and_nobody_is_blamed) {
  start();  // the store holds zeros
  edge->fetch(handle, {{PieceIndex(5), 0b0010}});
  ASSERT_TRUE(wait_for(1));
  EXPECT_TRUE(std::ranges::equal(events.pieces.at(5), artifact.plain(5)));
  EXPECT_FALSE(mirror(0).dropped);
}

TEST_F(EdgeClientTest, a_store_that_cannot_be_read_is_done_without) {
  artifact.store->fails = true;
  start();
  edge->fetch(handle, {{PieceIndex(5), 0b0010}});
  ASSERT_TRUE(wait_for(1));
}

TEST_F(EdgeClientTest, what_is_in_flight_never_exceeds_the_memory_limit) {
  options.max_in_flight_bytes = 6 * 2 * kPieceSize;
  options.max_request_bytes = 2 * kPieceSize;
  start();
  std::uint64_t most = 0;
  events.before_piece = [&] { most = std::max(most, in_flight_bytes()); };
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_LE(most, options.max_in_flight_bytes);
  EXPECT_GT(most, kPieceSize);
}

TEST_F(EdgeClientTest, a_piece_larger_than_the_memory_limit_still_comes) {
  options.max_in_flight_bytes = 1000;
  start();
  edge->fetch(handle, wants(0, 3));
  ASSERT_TRUE(wait_for(3));
}

TEST_F(EdgeClientTest, a_piece_larger_than_a_request_comes_in_several) {
  options.max_request_bytes = kFrameSize;
  start();
  edge->fetch(handle, wants(0, 2));
  ASSERT_TRUE(wait_for(2));
  EXPECT_GE(server.requests().size(), 4U);
  for (const auto& request : server.requests()) EXPECT_LE(request.end - request.begin, kFrameSize);
}

TEST_F(EdgeClientTest, cancelled_pieces_do_not_come_and_the_others_do) {
  server.close_gate();
  start();
  edge->fetch(handle, wants(0, 12));
  ASSERT_TRUE(loop.run_until([&] { return !server.requests().empty(); }));
  edge->cancel(handle, pieces(0, 10));
  server.open_gate();
  ASSERT_TRUE(wait_for(2));
  EXPECT_TRUE(events.pieces.contains(10));
  EXPECT_TRUE(events.pieces.contains(11));
  EXPECT_EQ(events.pieces.size(), 2U);
}

TEST_F(EdgeClientTest, a_cancelled_piece_can_be_asked_for_again) {
  server.close_gate();
  start();
  edge->fetch(handle, wants(0, 1));
  edge->cancel(handle, {PieceIndex(0)});
  edge->fetch(handle, wants(0, 1));
  server.open_gate();
  ASSERT_TRUE(wait_for(1));
}

TEST_F(EdgeClientTest, asking_twice_fetches_once) {
  start();
  fetch_all();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  edge->fetch(handle, wants(99, 100));  // and something that comes back last
  ASSERT_TRUE(wait_for_failures(1));
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST_F(EdgeClientTest, nothing_is_called_after_remove) {
  start();
  fetch_all();
  ASSERT_TRUE(wait_for(1));
  edge->remove(handle);
  auto before = events.pieces.size();
  Recorder later;
  handle = edge->add(artifact.id, artifact.description({server.url()}), later);
  edge->fetch(handle, wants(0, 24));
  ASSERT_TRUE(loop.run_until([&] { return later.pieces.size() == 24; }));
  EXPECT_EQ(events.pieces.size(), before);
  EXPECT_TRUE(events.failures.empty());
}

// Anybody can publish a product that has another one's artifact.
TEST_F(EdgeClientTest, an_artifact_can_be_fetched_twice_at_a_time) {
  server.close_gate();
  start();
  Recorder others;
  auto again = edge->add(artifact.id, artifact.description({server.url()}), others);
  fetch_all();
  edge->fetch(again, wants(0, 24));
  edge->cancel(again, pieces(0, 12));
  server.open_gate();
  ASSERT_TRUE(loop.run_until([&] { return others.pieces.size() == 12; }));
  edge->remove(again);
  ASSERT_TRUE(wait_for(24));
  expect_all_right();
  EXPECT_TRUE(others.failures.empty());
}

TEST_F(EdgeClientTest, may_be_destroyed_with_requests_in_flight) {
  server.close_gate();
  start();
  fetch_all();
  ASSERT_TRUE(loop.run_until([&] { return !server.requests().empty(); }));
  edge.reset();
  server.open_gate();
  EXPECT_TRUE(events.pieces.empty());
}

TEST_F(EdgeClientTest, unusable_mirrors_and_pieces_fail_clearly) {
  start({"file:///etc", "gopher://x"});
  edge->fetch(handle, wants(0, 1));
  edge->fetch(handle, wants(24, 25));
  ASSERT_TRUE(wait_for_failures(2));
  EXPECT_EQ(events.failures.at(0).first.kind, ErrorKind::source_unavailable);
  EXPECT_EQ(events.failures.at(24).first.kind, ErrorKind::invalid_request);
}

TEST_F(EdgeClientTest, the_download_limit_holds_over_all_transfers) {
  options.max_request_bytes = 2 * kPieceSize;
  start();
  std::uint64_t stored = 0;
  for (const auto& [path, bytes] : artifact.bundles) stored += bytes.size();
  edge->set_download_limit(stored);
  auto begin = std::chrono::steady_clock::now();
  fetch_all();
  ASSERT_TRUE(wait_for(24));
  // A second's worth of bytes, less what is let through at once. Faster is wrong; slower is not.
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(400));
  expect_all_right();
}

}  // namespace
}  // namespace shoal::edge
