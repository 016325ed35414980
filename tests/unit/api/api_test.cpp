// The routes over a real socket: who may, what comes back, and what bad requests are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "protocol/codec.hpp"
#include "unit/api/api_harness.hpp"
#include "unit/api/raw_http.hpp"

namespace shoal {
namespace {

using protocol::UnknownFields;
using test::ApiHarness;
using test::request;
using testing::HasSubstr;

template <typename Message>
Message parsed(const test::RawAnswer& answer) {
  auto message = protocol::decode<Message>(answer.body, UnknownFields::refuse);
  EXPECT_TRUE(message) << answer.body;
  return message.value_or(Message{});
}

void expect_error(const test::RawAnswer& answer, int status, ErrorKind kind) {
  EXPECT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(parsed<Error>(answer).kind, kind) << answer.body;
  EXPECT_FALSE(parsed<Error>(answer).remedy.empty());
  EXPECT_THAT(answer.head, HasSubstr("application/json"));
}

api::ApiOptions reader_only() {
  api::ApiOptions options;
  options.may_act = [](const http::Peer&) { return false; };
  return options;
}

TEST(Api, ServesItsOwnDescription) {
  ApiHarness harness;
  auto answer = request(harness.socket(), "GET", "/v1/openapi.yaml");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.head, HasSubstr("application/yaml"));
  EXPECT_THAT(answer.body, HasSubstr("openapi: 3.1.0"));
}

TEST(Api, ThePolicyIsThePublishersOrTheMachines) {
  ApiHarness harness;
  EXPECT_EQ(parsed<protocol::Config>(request(harness.socket(), "GET", "/v1/config")).policy,
            protocol::PolicyChoice::publisher);
  request(harness.socket(), "PATCH", "/v1/config", R"({"policy":"thrifty"})");
  EXPECT_EQ(harness.service().system_view.policy, transfer::Policy::thrifty);
  request(harness.socket(), "PATCH", "/v1/config", R"({"policy":"publisher"})");
  EXPECT_EQ(harness.service().system_view.policy, std::nullopt);
}

TEST(Api, TellsAboutTheSystemAndWhetherTheCallerMayAct) {
  ApiHarness harness;
  harness.service().system_view.version = "9.9";
  harness.service().system_view.libraries = {"/games"};
  auto answer = request(harness.socket(), "GET", "/v1/system");
  EXPECT_EQ(answer.status, 200);
  auto system = parsed<protocol::System>(answer);
  EXPECT_EQ(system.version, "9.9");
  EXPECT_EQ(system.libraries, std::vector<std::string>{"/games"});
  EXPECT_TRUE(system.may_act);
}

TEST(Api, PatchChangesOnlyTheFieldsGiven) {
  ApiHarness harness;
  harness.service().system_view.limits.download_bytes_per_s = 7;
  auto answer = request(harness.socket(), "PATCH", "/v1/config",
                        R"({"consent":"lan","upload_bytes_per_s":5000000})");
  EXPECT_EQ(answer.status, 200);
  auto config = parsed<protocol::Config>(answer);
  EXPECT_EQ(config.consent, protocol::Consent::lan);
  EXPECT_EQ(config.upload_bytes_per_s, 5'000'000u);
  EXPECT_EQ(config.download_bytes_per_s, 7u);
  EXPECT_EQ(parsed<protocol::Config>(request(harness.socket(), "GET", "/v1/config")).consent,
            protocol::Consent::lan);
}

TEST(Api, RepositoriesAreAddedListedAndRemoved) {
  ApiHarness harness;
  auto added = request(harness.socket(), "POST", "/v1/repositories",
                       R"({"url":"https://cdn.example/repo/","root_json":"the root"})");
  EXPECT_EQ(added.status, 201);
  EXPECT_EQ(parsed<protocol::Repository>(added).url, "https://cdn.example/repo/");
  auto list = parsed<protocol::Repositories>(request(harness.socket(), "GET", "/v1/repositories"));
  ASSERT_EQ(list.repositories.size(), 1u);
  auto removed = request(harness.socket(), "DELETE", "/v1/repositories/1");
  EXPECT_EQ(removed.status, 204);
  EXPECT_EQ(removed.body, "");
  expect_error(request(harness.socket(), "DELETE", "/v1/repositories/1"), 404,
               ErrorKind::not_found);
  expect_error(request(harness.socket(), "DELETE", "/v1/repositories/1x"), 404,
               ErrorKind::not_found);
}

TEST(Api, RepositoryUrlMustBeHttp) {
  ApiHarness harness;
  for (const char* url : {"", "file:///etc", "ftp://x/", "http://a b/", "https://x/\\n"})
    expect_error(request(harness.socket(), "POST", "/v1/repositories",
                         std::string(R"({"url":")") + url + R"(","root_json":"the root"})"),
                 400, ErrorKind::invalid_request);
  expect_error(request(harness.socket(), "POST", "/v1/repositories",
                       R"({"url":"https://x/","root_json":"else"})"),
               502, ErrorKind::metadata_invalid);
}

TEST(Api, ProductsAndInstallsAreListed) {
  ApiHarness harness;
  harness.service().product_views = {{"game", 1, {{"stable", "2"}}, {"1", "2"}}};
  agent::InstallView install;
  install.id = 4;
  install.product = "game";
  harness.service().install_views = {install};
  auto products = parsed<protocol::Products>(request(harness.socket(), "GET", "/v1/products"));
  EXPECT_EQ(products.products.at(0).channels.at("stable"), "2");
  auto installs = parsed<protocol::Installs>(request(harness.socket(), "GET", "/v1/installs"));
  EXPECT_EQ(installs.installs.at(0).id, 4);
  EXPECT_EQ(request(harness.socket(), "GET", "/v1/installs/4").status, 200);
  for (const char* id : {"5", "04x", "-4", "99999999999999999999"})
    expect_error(request(harness.socket(), "GET", std::string("/v1/installs/") + id), 404,
                 ErrorKind::not_found);
}

TEST(Api, WritingVerbsAnswer202WithTheChange) {
  ApiHarness harness;
  auto started = request(harness.socket(), "POST", "/v1/changes",
                         R"({"kind":"install","product":"game","channel":"beta",)"
                         R"("components":["base"],"priority":"background"})");
  EXPECT_EQ(started.status, 202);
  auto change = parsed<protocol::Change>(started);
  EXPECT_EQ(change.state, protocol::ChangeState::queued);
  auto seen = harness.on_loop([&] { return harness.service().started.at(0); });
  EXPECT_EQ(seen.kind, agent::ChangeKind::install);
  EXPECT_EQ(seen.channel, "beta");
  EXPECT_EQ(seen.components, std::vector<std::string>{"base"});
  EXPECT_EQ(seen.priority, agent::Priority::background);

  std::string path = "/v1/changes/" + change.id;
  EXPECT_EQ(request(harness.socket(), "POST", path + "/pause").status, 202);
  EXPECT_EQ(parsed<protocol::Change>(request(harness.socket(), "GET", path)).state,
            protocol::ChangeState::paused);
  EXPECT_EQ(request(harness.socket(), "POST", path + "/resume").status, 202);
  EXPECT_EQ(request(harness.socket(), "POST", path + "/cancel").status, 202);
  EXPECT_THAT(harness.on_loop([&] { return harness.service().steered; }),
              testing::ElementsAre("pause c1", "resume c1", "cancel c1"));
  expect_error(request(harness.socket(), "POST", "/v1/changes/c99/pause"), 404,
               ErrorKind::not_found);
}

TEST(Api, ChangesAreListedNewestFirstAndBounded) {
  ApiHarness harness;
  for (int i = 0; i < 5; ++i)
    harness.service().add_change("c" + std::to_string(i), agent::ChangeState::done);
  auto all = parsed<protocol::Changes>(request(harness.socket(), "GET", "/v1/changes"));
  EXPECT_EQ(all.changes.size(), 5u);
  EXPECT_EQ(all.changes.at(0).id, "c4");
  auto two = parsed<protocol::Changes>(request(harness.socket(), "GET", "/v1/changes?limit=2"));
  EXPECT_EQ(two.changes.size(), 2u);
  for (const char* bad : {"0", "-1", "x", "1001", ""})
    expect_error(request(harness.socket(), "GET", std::string("/v1/changes?limit=") + bad), 400,
                 ErrorKind::invalid_request);
}

TEST(Api, PlanIsAnsweredWithoutAChange) {
  ApiHarness harness;
  harness.service().plan_view.fetch_bytes = 123;
  auto answer =
      request(harness.socket(), "POST", "/v1/plans", R"({"kind":"update","product":"game"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(parsed<protocol::Plan>(answer).fetch_bytes, 123u);
  EXPECT_TRUE(harness.service().started.empty());
}

TEST(Api, ListsShowTheFirstNotesAndOneChangeShowsThemAll) {
  ApiHarness harness;
  auto& change = harness.service().add_change("c1", agent::ChangeState::done);
  for (int i = 0; i < 50; ++i) change.notes.push_back({"f" + std::to_string(i), "wrong_bytes"});
  auto list = parsed<protocol::Changes>(request(harness.socket(), "GET", "/v1/changes"));
  EXPECT_EQ(list.changes.at(0).notes.size(), 20u);
  EXPECT_EQ(list.changes.at(0).notes_total, 50u);
  auto one = parsed<protocol::Change>(request(harness.socket(), "GET", "/v1/changes/c1"));
  EXPECT_EQ(one.notes.size(), 50u);
}

TEST(Api, AgentErrorsKeepTheirKindStatusAndRemedy) {
  ApiHarness harness;
  harness.service().refuse = Error{ErrorKind::disk_full, "needs 5 GB", "Delete something."};
  auto answer =
      request(harness.socket(), "POST", "/v1/changes", R"({"kind":"verify","product":"game"})");
  expect_error(answer, 507, ErrorKind::disk_full);
  EXPECT_EQ(parsed<Error>(answer).remedy, "Delete something.");
}

TEST(ApiPermission, WhoMayOnlyReadIsRefusedEveryVerbThatActs) {
  ApiHarness harness(reader_only());
  harness.service().add_change("c1", agent::ChangeState::running);
  EXPECT_EQ(request(harness.socket(), "GET", "/v1/system").status, 200);
  EXPECT_FALSE(parsed<protocol::System>(request(harness.socket(), "GET", "/v1/system")).may_act);
  EXPECT_EQ(request(harness.socket(), "GET", "/v1/changes/c1").status, 200);
  using Acting = std::pair<const char*, const char*>;
  for (auto [method, path] :
       {Acting{"PATCH", "/v1/config"}, Acting{"POST", "/v1/repositories"},
        Acting{"DELETE", "/v1/repositories/1"}, Acting{"POST", "/v1/plans"},
        Acting{"POST", "/v1/changes"}, Acting{"POST", "/v1/changes/c1/pause"},
        Acting{"POST", "/v1/changes/c1/resume"}, Acting{"POST", "/v1/changes/c1/cancel"}})
    expect_error(request(harness.socket(), method, path, "{}"), 403, ErrorKind::not_allowed);
  EXPECT_TRUE(harness.service().steered.empty());
}

TEST(ApiPermission, HeadersThatClaimToBeSomebodyAreIgnored) {
  ApiHarness harness(reader_only());
  auto answer = test::send_raw(harness.socket(),
                               "POST /v1/changes HTTP/1.1\r\nHost: localhost\r\nConnection: "
                               "close\r\nX-Forwarded-User: root\r\n"
                               "Authorization: Basic cm9vdDo=\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(answer.status, 403);
}

TEST(ApiBadRequest, UnknownRouteIs404AndWrongMethodIs405WithAllow) {
  ApiHarness harness;
  for (const char* path : {"/", "/v1", "/v1/", "/v1/systems", "/v1/system/", "/v2/system",
                           "/v1/changes//pause", "/v1/changes/c1/explode", "/v1/../v1/system"})
    expect_error(request(harness.socket(), "GET", path), 404, ErrorKind::not_found);
  auto answer = request(harness.socket(), "DELETE", "/v1/config");
  expect_error(answer, 405, ErrorKind::invalid_request);
  EXPECT_THAT(answer.head, HasSubstr("Allow: GET, PATCH"));
}

TEST(ApiBadRequest, MalformedBodiesAreToldWhatIsWrong) {
  ApiHarness harness;
  for (const char* body :
       {"", "{", "[]", "null", "5", "{\"kind\":\"install\"}", "{\"kind\":5,\"product\":\"x\"}",
        R"({"kind":"nothing","product":"x"})", R"({"kind":"install","product":"../x"})",
        R"({"kind":"install","product":""})",
        R"({"kind":"install","product":"x","channel":"a","version":"1"})",
        R"({"kind":"update","product":"x","channel":"a"})",
        R"({"kind":"install","product":"x","library":"relative"})",
        R"({"kind":"install","product":"x","library":"/a\nb"})",
        R"({"kind":"install","product":"x","components":["a/b"]})"})
    expect_error(request(harness.socket(), "POST", "/v1/changes", body), 400,
                 ErrorKind::invalid_request);
  EXPECT_TRUE(harness.service().started.empty());
}

TEST(ApiBadRequest, UnknownFieldIsRefusedWithTheNearestKnownName) {
  ApiHarness harness;
  auto answer = request(harness.socket(), "POST", "/v1/changes",
                        R"({"kind":"install","product":"x","chanel":"beta"})");
  expect_error(answer, 400, ErrorKind::invalid_request);
  EXPECT_EQ(parsed<Error>(answer).remedy, "Did you mean 'channel'?");
}

TEST(ApiBadRequest, TooLargeBodyIs413OfTheOneShape) {
  ApiHarness harness;
  expect_error(request(harness.socket(), "POST", "/v1/changes", std::string(2 << 20, ' ')), 413,
               ErrorKind::too_large);
}

TEST(ApiBadRequest, GarbageInsteadOfHttpIs400OfTheOneShape) {
  ApiHarness harness;
  expect_error(test::send_raw(harness.socket(), "hello there\r\n\r\n"), 400,
               ErrorKind::invalid_request);
}

TEST(ApiLimits, OneUserCannotHoldAllRequests) {
  api::ApiOptions options;
  options.max_requests_per_user = 2;
  ApiHarness harness(options);
  harness.on_loop([&] { harness.service().hold_replies = true; });
  std::string wait = "GET /v1/products HTTP/1.1\r\nHost: x\r\n\r\n";
  test::RawConnection first(harness.socket()), second(harness.socket());
  first.send(wait);
  second.send(wait);
  ASSERT_TRUE(harness.wait_until([&] { return harness.service().held.size() == 2; }));
  expect_error(request(harness.socket(), "GET", "/v1/system"), 429, ErrorKind::busy);
  harness.on_loop([&] {
    harness.service().held.back()(std::vector<agent::ProductView>{});
    harness.service().held.pop_back();
  });
  EXPECT_EQ(request(harness.socket(), "GET", "/v1/system").status, 200);
}

TEST(ApiLimits, RequestDroppedByTheAgentIsAnswered) {
  ApiHarness harness;
  harness.on_loop([&] { harness.service().hold_replies = true; });
  test::RawConnection connection(harness.socket());
  connection.send("GET /v1/products HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(harness.wait_until([&] { return harness.service().held.size() == 1; }));
  harness.on_loop([&] { harness.service().held.clear(); });
  EXPECT_TRUE(connection.read_until("\r\n\r\n"));
  EXPECT_THAT(connection.take(), HasSubstr(" 500 "));
}

TEST(ApiStop, RequestsUnderWayAreAnsweredAndNoNewOnesTaken) {
  ApiHarness harness;
  harness.on_loop([&] { harness.service().hold_replies = true; });
  test::RawConnection connection(harness.socket());
  connection.send("GET /v1/products HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(harness.wait_until([&] { return harness.service().held.size() == 1; }));
  bool stopped = false;
  harness.drain(stopped);
  EXPECT_FALSE(std::filesystem::exists(harness.socket()));
  EXPECT_FALSE(harness.on_loop([&] { return stopped; }));
  harness.on_loop([&] { harness.service().held.front()(std::vector<agent::ProductView>{}); });
  EXPECT_TRUE(connection.read_until("\r\n\r\n"));
  EXPECT_THAT(connection.take(), HasSubstr(" 200 "));
  EXPECT_TRUE(harness.wait_until([&] { return stopped; }));
}

TEST(ApiStop, ARequestThatIsNeverAnsweredDoesNotKeepItFromStopping) {
  ApiHarness harness;
  harness.on_loop([&] { harness.service().hold_replies = true; });
  test::RawConnection connection(harness.socket());
  connection.send("GET /v1/products HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(harness.wait_until([&] { return harness.service().held.size() == 1; }));
  bool stopped = false;
  harness.drain(stopped);
  EXPECT_TRUE(harness.wait_until([&] { return stopped; }));
}

}  // namespace
}  // namespace shoal
