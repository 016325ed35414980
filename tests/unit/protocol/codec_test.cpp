// Messages survive the way to JSON and back; what breaks a type or a range is refused by name.
#include "protocol/codec.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace shoal::protocol {
namespace {

UtcSeconds time_of(std::string_view text) { return parse_utc(text).value(); }

Change full_change() {
  Change change;
  change.id = "c7";
  change.kind = ChangeKind::update;
  change.state = ChangeState::waiting;
  change.product = "game";
  change.version = "2.0";
  change.from_version = "1.0";
  change.priority = Priority::background;
  change.tasks = {{TaskKind::fetch, TaskState::running, 5, 10}};
  change.bytes = {100, 20, 30, 10, 40, 50, 60, 70};
  change.edge_bytes_per_s = 1;
  change.peers_bytes_per_s = 2;
  change.peers_connected = 3;
  change.eta_s = 4;
  change.waiting_for = "a mirror";
  change.notes = {{"bin/game", "wrong_bytes"}};
  change.notes_total = 12;
  change.error = Error{ErrorKind::disk_full, "no space", "free some"};
  change.created_at = time_of("2026-11-22T12:30:00Z");
  change.updated_at = time_of("2026-11-22T12:30:09Z");
  change.seconds = 9.5;
  return change;
}

template <typename Message>
std::string error_of(std::string_view json, UnknownFields unknown = UnknownFields::refuse) {
  auto result = decode<Message>(json, unknown);
  if (result) return "accepted";
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_request);
  return result.error().describe();
}

// Encoding what was decoded gives the same text: no field is lost or changed.
template <typename Message>
void expect_round_trip(const Message& message) {
  std::string text = encode(message);
  auto again = decode<Message>(text, UnknownFields::refuse);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(encode(*again), text);
}

TEST(Codec, ChangeSurvivesTheRoundTrip) {
  expect_round_trip(full_change());
  auto change = decode<Change>(encode(full_change()), UnknownFields::refuse).value();
  EXPECT_EQ(change.kind, ChangeKind::update);
  EXPECT_EQ(change.state, ChangeState::waiting);
  EXPECT_EQ(change.bytes.fetched, 70u);
  EXPECT_EQ(change.tasks.at(0).total_bytes, 10u);
  EXPECT_EQ(change.notes.at(0).note, "wrong_bytes");
  EXPECT_EQ(change.error->kind, ErrorKind::disk_full);
  EXPECT_EQ(change.error->remedy, "free some");
  EXPECT_EQ(change.updated_at - change.created_at, std::chrono::seconds(9));
}

TEST(Codec, EveryMessageSurvivesTheRoundTrip) {
  expect_round_trip(Changes{{full_change(), Change{}}});
  expect_round_trip(Config{Consent::lan, 1, 2, PolicyChoice::publisher});
  expect_round_trip(ConfigUpdate{});
  expect_round_trip(ConfigUpdate{Consent::granted, 0, 9, PolicyChoice::balanced});
  expect_round_trip(System{"1.0", "/s", {"/a", "/b"}, "0.0.0.0:6881", {}, 1, 2, 3, 4, true});
  expect_round_trip(Repositories{{Repository{1,
                                             "http://x/",
                                             time_of("2020-02-29T00:00:00Z"),
                                             time_of("2021-01-01T23:59:59Z"),
                                             Error{ErrorKind::network, "m", "r"},
                                             {{"game", {ErrorKind::too_large, "n", "s"}}},
                                             {Mirror{"http://m/", true, "bad", 7, 8}},
                                             {"http://t/"},
                                             true,
                                             Policy::thrifty,
                                             PolicySource::machine}}});
  expect_round_trip(AddRepository{"http://x/", "{\"signed\":\n{}}"});
  expect_round_trip(Products{{Product{"game", 1, {{"stable", "1.0"}}, {"0.9", "1.0"}}}});
  expect_round_trip(Installs{{Install{3,
                                      "game",
                                      "stable",
                                      "1",
                                      "2",
                                      "/l",
                                      "/l/game",
                                      5,
                                      8,
                                      true,
                                      6,
                                      7,
                                      "bin/game",
                                      {"--x"},
                                      time_of("2026-01-01T00:00:00Z"),
                                      "c1"}}});
  expect_round_trip(ChangeRequest{
      ChangeKind::install, "game", "beta", {}, "/l", 4, {"base"}, Priority::background});
  expect_round_trip(Plan{ChangeKind::repair,
                         "g",
                         "2",
                         "1",
                         1,
                         2,
                         3,
                         4,
                         5,
                         6,
                         7,
                         8,
                         {"a"},
                         {{"base", Way::delta, "a delta: 1 MB", 1, 2, 3, 4}},
                         true});
  expect_round_trip(Removed{"install", "3"});
  expect_round_trip(Status{{}, {full_change()}, {Repository{}}});
}

TEST(Codec, LeavesAbsentFieldsOut) {
  EXPECT_EQ(encode(ConfigUpdate{}), "{}");
  EXPECT_EQ(encode(Change{}).find("eta_s"), std::string::npos);
}

TEST(Codec, RequestNeedsOnlyKindAndProduct) {
  auto request =
      decode<ChangeRequest>(R"({"kind":"update","product":"game"})", UnknownFields::refuse);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->priority, Priority::foreground);
  EXPECT_TRUE(request->components.empty());
}

TEST(Codec, ErrorHasTheOneShape) {
  EXPECT_EQ(encode(Error{ErrorKind::not_found, "no such product", ""}),
            R"({"kind":"not_found","message":"no such product",)"
            R"("remedy":"Check the name.","retryable":false})");
}

TEST(Codec, UnknownErrorKindOfANewerDaemonIsInternal) {
  auto error = decode<Error>(R"({"kind":"new","message":"m","remedy":"r","retryable":true,"x":1})",
                             UnknownFields::ignore);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::internal);
  EXPECT_EQ(error->message, "m");
}

TEST(Codec, UnknownFieldIsRefusedWithTheNearestName) {
  std::string error = error_of<ConfigUpdate>(R"({"upload_bytes_per_sec":5})");
  EXPECT_NE(error.find("unknown field 'upload_bytes_per_sec'"), std::string::npos) << error;
  EXPECT_NE(error.find("Did you mean 'upload_bytes_per_s'?"), std::string::npos) << error;
  error = error_of<ConfigUpdate>(R"({"zzzzzzzzzzzzzzzzzzzz":5})");
  EXPECT_EQ(error.find("Did you mean"), std::string::npos) << error;
}

TEST(Codec, UnknownFieldIsIgnoredWhereAsked) {
  EXPECT_TRUE(
      decode<Removed>(R"({"resource":"install","id":"1","more":[1]})", UnknownFields::ignore));
}

TEST(Codec, RefusesWrongTypesAndRangesByName) {
  EXPECT_NE(error_of<ChangeRequest>(R"({"kind":"update","product":5})").find("'product'"),
            std::string::npos);
  EXPECT_NE(error_of<ChangeRequest>(R"({"product":"x"})").find("'kind' is missing"),
            std::string::npos);
  EXPECT_NE(error_of<ChangeRequest>(R"({"kind":"explode","product":"x"})")
                .find("not one of: install, update"),
            std::string::npos);
  for (const char* bad : {"-1", "1.0", "1.5", "1e3", "9223372036854775808", "18446744073709551616",
                          "\"5\"", "true", "[]", "{}"}) {
    std::string json = std::string(R"({"upload_bytes_per_s":)") + bad + "}";
    EXPECT_NE(error_of<ConfigUpdate>(json).find("upload_bytes_per_s"), std::string::npos) << bad;
  }
  EXPECT_TRUE(
      decode<ConfigUpdate>(R"({"upload_bytes_per_s":9223372036854775807})", UnknownFields::refuse));
  EXPECT_NE(error_of<ChangeRequest>(R"({"kind":"update","product":"x","components":[1]})")
                .find("components[0]"),
            std::string::npos);
}

TEST(Codec, RefusesWhatIsNotAnObject) {
  for (const char* bad : {"", "{", "null", "[]", "5", "\"x\"", "{\"consent\":}", "{} {}",
                          "{\"consent\":\"lan\",}", "\xff\xfe"})
    EXPECT_NE(error_of<ConfigUpdate>(bad), "accepted") << bad;
}

TEST(Codec, RefusesDeepNestingBeforeParsing) {
  std::string deep(500'000, '[');
  EXPECT_NE(error_of<ConfigUpdate>(deep).find("nested deeper"), std::string::npos);
  EXPECT_NE(error_of<AddRepository>(R"({"url":"[[[[[[[[[[[[[[[[[[[[[[\"[","root_json":5})")
                .find("root_json"),
            std::string::npos);
}

TEST(Codec, WritesCountsBeyondInt64AsTheLargest) {
  Config config;
  config.upload_bytes_per_s = std::numeric_limits<std::uint64_t>::max();
  EXPECT_NE(encode(config).find("9223372036854775807"), std::string::npos);
}

TEST(Codec, ReplacesBytesThatAreNotUtf8) {
  Removed removed{"install", "a\xff"};
  auto again = decode<Removed>(encode(removed), UnknownFields::refuse);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, "a\xEF\xBF\xBD");
}

TEST(Words, NamesAndValuesAgree) {
  EXPECT_EQ(name_of(ChangeState::waiting), "waiting");
  EXPECT_EQ(from_name<ChangeState>("waiting"), ChangeState::waiting);
  EXPECT_FALSE(from_name<ChangeState>("Waiting"));
  EXPECT_EQ(all_names<Consent>(), "denied, lan, granted");
  EXPECT_EQ(all_names<PolicyChoice>(), "publisher, fastest, balanced, thrifty");
  EXPECT_TRUE(has_ended(ChangeState::cancelled));
  EXPECT_FALSE(has_ended(ChangeState::paused));
}

}  // namespace
}  // namespace shoal::protocol
