// The event stream over a real socket.
#include "protocol/events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/codec.hpp"
#include "unit/api/api_harness.hpp"
#include "unit/api/raw_http.hpp"

namespace shoal {
namespace {

using test::ApiHarness;
using test::RawConnection;
using testing::HasSubstr;

std::string events_request(const std::string& last = "") {
  return "GET /v1/events HTTP/1.1\r\nHost: x\r\n" +
         (last.empty() ? "" : "Last-Event-ID: " + last + "\r\n") + "\r\n";
}

TEST(ApiEvents, EachEventCarriesTheResourceAsItIsNow) {
  ApiHarness harness;
  harness.service().add_change("c1", agent::ChangeState::running);
  RawConnection connection(harness.socket());
  connection.send(events_request());
  ASSERT_TRUE(connection.read_until("event: resync\ndata: {}\n\n"));
  EXPECT_THAT(connection.take(), HasSubstr("Content-Type: text/event-stream"));
  harness.tell("change", "c1");
  ASSERT_TRUE(connection.read_until("}\n\n"));
  std::vector<protocol::Event> events;
  ASSERT_TRUE(protocol::EventParser().feed(connection.take(), events));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].name, "change");
  auto change = protocol::decode<protocol::Change>(events[0].data, protocol::UnknownFields::refuse);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->state, protocol::ChangeState::running);
}

TEST(ApiEvents, ConfigInstallsAndRepositoriesAreTold) {
  ApiHarness harness;
  agent::InstallView install;
  install.id = 4;
  harness.service().install_views = {install};
  agent::RepositoryView repository;
  repository.id = 2;
  harness.service().repository_views = {repository};
  RawConnection connection(harness.socket());
  connection.send(events_request());
  ASSERT_TRUE(connection.read_until("event: resync"));
  test::request(harness.socket(), "PATCH", "/v1/config", R"({"policy":"thrifty"})");
  EXPECT_TRUE(connection.read_until("event: config\ndata: {\"consent\""));
  harness.tell("install", "4");
  EXPECT_TRUE(connection.read_until("event: install\ndata: {\"id\":4"));
  harness.tell("repository", "2");
  EXPECT_TRUE(connection.read_until("event: repository\ndata: {\"id\":2"));
  harness.tell("repository", "3");
  EXPECT_TRUE(connection.read_until(R"(event: removed)"
                                    "\n"
                                    R"(data: {"resource":"repository","id":"3"})"));
}

TEST(ApiEvents, LastEventIdContinuesWhereItWas) {
  ApiHarness harness;
  harness.service().add_change("c1", agent::ChangeState::running);
  harness.service().add_change("c2", agent::ChangeState::running);
  std::string id;
  {
    RawConnection connection(harness.socket());
    connection.send(events_request());
    ASSERT_TRUE(connection.read_until("resync"));
    connection.take();
    harness.tell("change", "c1");
    ASSERT_TRUE(connection.read_until("}\n\n"));
    std::vector<protocol::Event> events;
    ASSERT_TRUE(protocol::EventParser().feed(connection.take(), events));
    id = events.at(0).id;
  }
  harness.tell("change", "c2");
  RawConnection again(harness.socket());
  again.send(events_request(id));
  ASSERT_TRUE(again.read_until("event: change\ndata: {\"id\":\"c2\""));
  std::string all = again.take();
  EXPECT_EQ(all.find("resync"), std::string::npos);
  EXPECT_EQ(all.find("\"c1\""), std::string::npos);
}

TEST(ApiEvents, OneUserCannotOpenAllStreams) {
  api::ApiOptions options;
  options.max_streams_per_user = 1;
  ApiHarness harness(options);
  {
    RawConnection connection(harness.socket());
    connection.send(events_request());
    ASSERT_TRUE(connection.read_until("resync"));
    EXPECT_EQ(test::request(harness.socket(), "GET", "/v1/events").status, 429);
  }
  // The stream's end gives its place back; when the daemon notices is its own affair.
  bool opened = false;
  for (int tries = 0; tries < 1000 && !opened; ++tries) {
    RawConnection connection(harness.socket());
    connection.send(events_request());
    opened = connection.read_until("\r\n\r\n") && connection.take().starts_with("HTTP/1.1 200");
  }
  EXPECT_TRUE(opened);
}

TEST(ApiEvents, ReaderThatDoesNotReadIsClosedAndHoldsNobodyUp) {
  api::ApiOptions options;
  options.http.max_stream_backlog_bytes = 64 << 10;
  options.events.interval = std::chrono::milliseconds(0);
  options.events.ring_bytes = 16 << 10;
  ApiHarness harness(options);
  auto& change = harness.service().add_change("c1", agent::ChangeState::running);
  change.waiting_for = std::string(8000, 'x');
  RawConnection slow(harness.socket());
  slow.send(events_request());
  ASSERT_TRUE(slow.read_until("resync"));
  // Far more than the socket's buffers and the backlog hold.
  for (int i = 0; i < 2000; ++i) {
    harness.on_loop([&] {
      auto* now = harness.service().find("c1");
      now->state = now->state == agent::ChangeState::running ? agent::ChangeState::waiting
                                                             : agent::ChangeState::running;
      harness.service().tell("change", "c1");
    });
  }
  EXPECT_EQ(test::request(harness.socket(), "GET", "/v1/system").status, 200);
  std::size_t received = 0;
  while (slow.read_some()) received += slow.take().size();
  EXPECT_LT(received, 2000u * 8000u) << "the stream ended before all was sent";
}

}  // namespace
}  // namespace shoal
