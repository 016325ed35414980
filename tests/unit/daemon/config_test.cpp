// The daemon's configuration, from its file and from flags.
#include "daemon/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.hpp"

namespace shoal::daemon {
namespace {

using testing::HasSubstr;

Result<Config> read(const std::string& toml) {
  test::TempDir folder;
  Config config;
  auto done = read_config_file(config, folder.write("shoald.toml", toml));
  if (!done) return fail(done.error());
  return config;
}

ParsedArguments parse(std::vector<std::string> words) {
  words.insert(words.begin(), "shoald");
  std::vector<char*> argv;
  argv.reserve(words.size());
  for (auto& word : words) argv.push_back(word.data());
  return parse_arguments(static_cast<int>(argv.size()), argv.data());
}

TEST(Config, AnUnknownKeyIsRefusedWithTheNearestOne) {
  for (const char* toml : {"polcy = 'thrifty'", "polcy = 1.5", "[polcy]\na = 1"}) {
    auto config = read(toml);
    ASSERT_FALSE(config) << toml;
    EXPECT_EQ(config.error().kind, ErrorKind::invalid_request);
    EXPECT_THAT(config.error().message, HasSubstr("line 1: there is no key 'polcy'"));
    EXPECT_EQ(config.error().remedy, "Did you mean 'policy'?");
  }
}

TEST(Config, AValueThatMakesNoSenseIsRefusedWithWhatWould) {
  EXPECT_THAT(read("policy = 'thrify'").error().message,
              HasSubstr("publisher, fastest, balanced or thrifty"));
  EXPECT_THAT(read("consent = 'yes'").error().message, HasSubstr("granted, lan or denied"));
  EXPECT_THAT(read("upload_limit = 'fast'").error().message, HasSubstr("such as 5000000 or 5M"));
  for (const auto* hours : {"'soon'", "-1", "8785"})
    EXPECT_THAT(read(std::string("keep_deltas = ") + hours).error().message,
                HasSubstr("a number of hours from 0 to 8784"))
        << hours;
  EXPECT_FALSE(read("[state]\na = 1"));
  EXPECT_FALSE(read("policy ="));
  EXPECT_THAT(read("policy = 'x'").error().remedy, HasSubstr("shoald --help"));
}

TEST(Config, DeltasAreKeptForHours) {
  EXPECT_EQ(read("")->keep_deltas, std::nullopt);
  EXPECT_EQ(read("keep_deltas = 0")->keep_deltas, std::chrono::hours(0));
  EXPECT_EQ(read("keep_deltas = 8784")->keep_deltas, std::chrono::hours(8784));
}

TEST(Config, ThePolicyIsTheMachinesThePublishersOrNotSaid) {
  EXPECT_EQ(read("")->policy, std::nullopt);
  EXPECT_EQ(read("policy = 'thrifty'")->policy, std::optional(transfer::Policy::thrifty));
  auto publishers = read("policy = 'publisher'");
  ASSERT_TRUE(publishers && publishers->policy);
  EXPECT_FALSE(publishers->policy->has_value());
}

TEST(Config, EveryKeyIsAFlagToo) {
  auto parsed = parse({"--state",
                       "/s",
                       "--socket",
                       "/run/x.sock",
                       "--socket-group",
                       "g",
                       "--library",
                       "/a",
                       "--library",
                       "/b",
                       "--listen",
                       "127.0.0.1:1",
                       "--outgoing",
                       "127.0.0.1",
                       "--consent",
                       "lan",
                       "--policy",
                       "balanced",
                       "--upload-limit",
                       "5M",
                       "--download-limit",
                       "1000",
                       "--lan-discovery",
                       "no",
                       "--dht",
                       "no",
                       "--pex",
                       "off",
                       "--upnp",
                       "false",
                       "--utp",
                       "false",
                       "--keep-deltas",
                       "5",
                       "--log-level",
                       "debug"});
  EXPECT_EQ(parsed.exit_code, std::nullopt);
  EXPECT_EQ(parsed.config.libraries.size(), 2U);
  EXPECT_EQ(parsed.config.upload_limit, 5'000'000U);
  EXPECT_EQ(parsed.config.keep_deltas, std::chrono::hours(5));
  EXPECT_FALSE(parsed.config.dht || parsed.config.pex || parsed.config.utp);
  EXPECT_EQ(parsed.config.log_level, LogLevel::debug);
}

TEST(Config, AMisspeltFlagIsAnsweredWithTheNearestOne) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(parse({"--polcy", "thrifty"}).exit_code, 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("Did you mean '--policy'?"));
}

}  // namespace
}  // namespace shoal::daemon
