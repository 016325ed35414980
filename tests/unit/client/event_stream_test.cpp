// Following the daemon's events through restarts and interruptions.
#include "client/event_stream.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "protocol/codec.hpp"
#include "unit/api/api_harness.hpp"

namespace shoal::client {
namespace {

using test::ApiHarness;

constexpr std::uint32_t kLong = 10'000;

protocol::Event next_of(EventStream& stream) {
  auto event = stream.next(kLong);
  EXPECT_TRUE(event) << event.error().message;
  EXPECT_TRUE(event && *event) << "no event came";
  return event && *event ? **event : protocol::Event{};
}

TEST(EventStream, BeginsWithResyncAndFollows) {
  ApiHarness harness;
  harness.service().add_change("c1", agent::ChangeState::running);
  EventStream stream({.socket = harness.socket()});
  EXPECT_EQ(next_of(stream).name, "resync");
  harness.tell("change", "c1");
  auto event = next_of(stream);
  EXPECT_EQ(event.name, "change");
  EXPECT_TRUE(protocol::decode<protocol::Change>(event.data, protocol::UnknownFields::ignore));
}

TEST(EventStream, QuietStreamGivesNothingAfterTheWait) {
  ApiHarness harness;
  EventStream stream({.socket = harness.socket()});
  next_of(stream);
  auto event = stream.next(1);
  ASSERT_TRUE(event);
  EXPECT_FALSE(*event);
}

TEST(EventStream, DaemonThatRestartsIsFoundAgainAndTellsToResync) {
  ApiHarness harness;
  harness.service().add_change("c1", agent::ChangeState::running);
  EventStream stream({.socket = harness.socket()});
  next_of(stream);
  harness.stop();
  auto nothing = stream.next(1);
  ASSERT_TRUE(nothing) << nothing.error().message;
  harness.start();
  EXPECT_EQ(next_of(stream).name, "resync");
  harness.tell("change", "c1");
  EXPECT_EQ(next_of(stream).name, "change");
}

TEST(EventStream, GivesUpOnADaemonThatStaysAway) {
  test::TempDir folder;
  EventStream stream({.socket = folder / "none.sock", .give_up_ms = 20});
  auto event = stream.next(kLong);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().kind, ErrorKind::daemon_unreachable);
}

TEST(EventStream, RefusalIsTheDaemonsError) {
  api::ApiOptions options;
  options.max_streams_per_user = 0;
  ApiHarness harness(options);
  EventStream stream({.socket = harness.socket()});
  auto event = stream.next(kLong);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().kind, ErrorKind::busy);
}

TEST(EventStream, WakeDescriptorEndsTheWaitAtOnce) {
  ApiHarness harness;
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  EventStream stream({.socket = harness.socket(), .wake_fd = wake.get()});
  next_of(stream);
  ASSERT_EQ(::eventfd_write(wake.get(), 1), 0);
  auto event = stream.next(kLong);
  ASSERT_FALSE(event);
  EXPECT_EQ(event.error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace shoal::client
