// The client against the real server with a fake agent behind it.
#include "client/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace shoal::client
