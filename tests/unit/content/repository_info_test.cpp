// repository.json and channels.json: round trips, and the ways in which they can be wrong.
#include "content/repository_info.hpp"

#include <gtest/gtest.h>

namespace shoal::content {
namespace {

ErrorKind repository_error(std::string_view text) {
  auto parsed = parse_repository_info(as_bytes(text));
  EXPECT_FALSE(parsed.has_value()) << text;
  return parsed ? ErrorKind::internal : parsed.error().kind;
}

ErrorKind channels_error(std::string_view text) {
  auto parsed = parse_channels(as_bytes(text));
  EXPECT_FALSE(parsed.has_value()) << text;
  return parsed ? ErrorKind::internal : parsed.error().kind;
}

TEST(RepositoryInfo, RoundTrip) {
  RepositoryInfo info;
  info.mirrors = {"https://cdn.example/shoal/", "http://10.0.0.1:8080"};
  info.trackers = {"http://tracker.example/announce", "udp://tracker.example:6969"};
  info.policy = EdgePolicy::thrifty;
  info.dht = true;
  auto parsed = parse_repository_info(as_bytes(format_repository_info(info)));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->mirrors, info.mirrors);
  EXPECT_EQ(parsed->trackers, info.trackers);
  EXPECT_EQ(parsed->policy, EdgePolicy::thrifty);
  EXPECT_TRUE(parsed->dht);
}

TEST(RepositoryInfo, UnknownMembersAreIgnoredAndDefaultsApply) {
  auto parsed = parse_repository_info(
      as_bytes(R"({"format":"shoal-repository","format_version":1,"later":{"x":[1.5]}})"));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_TRUE(parsed->mirrors.empty());
  EXPECT_EQ(parsed->policy, EdgePolicy::fastest);
  EXPECT_FALSE(parsed->dht);
}

TEST(RepositoryInfo, RefusesWhatIsWrong) {
  const std::string head = R"({"format":"shoal-repository","format_version":1,)";
  EXPECT_EQ(repository_error(""), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error("[]"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(R"({"format":"other","format_version":1})"),
            ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(R"({"format":"shoal-repository","format_version":2})"),
            ErrorKind::unsupported_version);
  EXPECT_EQ(repository_error(head + R"("mirrors":["ftp://x/"]})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(head + R"("mirrors":["http://x/ y"]})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(head + R"("mirrors":"http://x/"})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(head + R"("trackers":[1]})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(head + R"("policy":"free"})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(head + R"("dht":1})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(repository_error(std::string(kMaxRepositoryJsonBytes + 1, ' ')), ErrorKind::too_large);
  EXPECT_EQ(repository_error(head + "\"x\":" + std::string(1000, '[')),
            ErrorKind::metadata_invalid);
}

TEST(Channels, RoundTripKeepsTheOrderOfVersions) {
  ChannelList list;
  list.versions = {"1.9", "1.10", "0.5-hotfix"};
  list.channels = {{"stable", "1.9"}, {"beta", "1.10"}};
  auto parsed = parse_channels(as_bytes(format_channels(list)));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->versions, list.versions);
  EXPECT_EQ(parsed->channels, list.channels);
}

TEST(Channels, RefusesWhatIsWrong) {
  const std::string head = R"({"format":"shoal-channels","format_version":1,)";
  EXPECT_EQ(channels_error(head + R"("versions":["1"]})"), ErrorKind::metadata_invalid);
  EXPECT_EQ(channels_error(head + R"("versions":["1","1"],"channels":{}})"),
            ErrorKind::metadata_invalid);
  EXPECT_EQ(channels_error(head + R"("versions":["../1"],"channels":{}})"),
            ErrorKind::metadata_invalid);
  EXPECT_EQ(channels_error(head + R"("versions":["1"],"channels":{"stable":"2"}})"),
            ErrorKind::metadata_invalid);
  EXPECT_EQ(channels_error(head + R"("versions":["1"],"channels":{"a/b":"1"}})"),
            ErrorKind::metadata_invalid);
  EXPECT_EQ(channels_error(head + R"("versions":["1"],"channels":{"stable":1}})"),
            ErrorKind::metadata_invalid);
}

}  // namespace
}  // namespace shoal::content
