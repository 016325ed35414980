// The client against the real server with a fake agent behind it.
#include "client/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/response_reader.hpp"
#include "unit/api/api_harness.hpp"

namespace shoal::client {
namespace {

using test::ApiHarness;
using testing::HasSubstr;

Client client_of(const ApiHarness& harness) { return Client({.socket = harness.socket()}); }

TEST(Client, TypedCallsReachTheAgentAndBack) {
  ApiHarness harness;
  harness.service().system_view.version = "1.2";
  harness.service().product_views = {{"game", 1, {{"stable", "2"}}, {"1", "2"}}};
  auto client = client_of(harness);
  EXPECT_EQ(client.system().value().version, "1.2");
  EXPECT_EQ(client.configure({.consent = protocol::Consent::granted}).value().consent,
            protocol::Consent::granted);
  EXPECT_EQ(client.config().value().consent, protocol::Consent::granted);
  EXPECT_EQ(client.add_repository({"https://x/", "the root"}).value().id, 1);
  EXPECT_EQ(client.repositories().value().repositories.size(), 1u);
  EXPECT_TRUE(client.remove_repository(1));
  EXPECT_EQ(client.products().value().products.at(0).product, "game");
  EXPECT_TRUE(client.installs().value().installs.empty());
  EXPECT_EQ(client.plan({.product = "game"}).value().product, "game");
  auto change = client.start({.kind = protocol::ChangeKind::verify, .product = "game"}).value();
  EXPECT_EQ(client.changes().value().changes.size(), 1u);
  EXPECT_EQ(client.pause(change.id).value().state, protocol::ChangeState::paused);
  EXPECT_EQ(client.resume(change.id).value().state, protocol::ChangeState::running);
  EXPECT_EQ(client.cancel(change.id).value().state, protocol::ChangeState::cancelled);
  EXPECT_EQ(client.change(change.id).value().kind, protocol::ChangeKind::verify);
}

TEST(Client, ErrorsOfTheDaemonArriveWhole) {
  ApiHarness harness;
  auto missing = client_of(harness).install(77);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  harness.service().refuse = Error{ErrorKind::conflict, "one runs", "Wait for c1."};
  auto refused = client_of(harness).start({.product = "game"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "one runs");
  EXPECT_EQ(refused.error().remedy, "Wait for c1.");
}

TEST(Client, IdsCannotLeaveTheirPlaceInThePath) {
  ApiHarness harness;
  for (const char* id : {"../../system", "c1/pause", "c1?x", "a b", "c1\r\nX: y", ""}) {
    auto change = client_of(harness).change(id);
    if (std::string(id).empty()) continue;  // "/v1/changes/" is no route
    ASSERT_FALSE(change) << id;
    EXPECT_NE(change.error().kind, ErrorKind::internal) << change.error().message;
  }
}

TEST(Client, AbsentDaemonIsUnreachable) {
  test::TempDir folder;
  auto result = Client({.socket = folder / "none.sock"}).system();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::daemon_unreachable);
  EXPECT_EQ(info(result.error().kind).exit_code, 3);
  EXPECT_THAT(result.error().message, HasSubstr("none.sock"));
}

TEST(Client, StaleSocketFileIsUnreachable) {
  test::TempDir folder;  // a file that nobody listens on
  auto result = Client({.socket = folder.write("api.sock", "")}).system();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::daemon_unreachable);
}

TEST(Client, DaemonThatNeverAnswersIsUnreachable) {
  ApiHarness harness;
  harness.on_loop([&] { harness.service().hold_replies = true; });
  auto result = Client({.socket = harness.socket(), .timeout_ms = 50}).products();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::daemon_unreachable);
}

TEST(Client, LargeListsArriveWhole) {
  ApiHarness harness;
  for (int i = 0; i < 5'000; ++i) {
    agent::InstallView install;
    install.id = i;
    harness.service().install_views.push_back(install);
  }
  EXPECT_EQ(client_of(harness).installs().value().installs.size(), 5'000u);
}

TEST(Client, TooLongSocketPathIsToldAsSuch) {
  auto result = Client({.socket = "/" + std::string(200, 'x')}).system();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_request);
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

}  // namespace
}  // namespace shoal::client
