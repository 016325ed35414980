// Command lines, good and bad.
#include "cli/shoal/options.hpp"

#include <gtest/gtest.h>

namespace shoal::cli {
namespace {

using protocol::ChangeKind;

std::variant<Options, ExitCode> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "shoal");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

Options good(std::vector<const char*> words) {
  auto parsed = parse(std::move(words));
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options{};
}

void expect_usage_error(std::vector<const char*> words) {
  std::string shown;
  for (const char* word : words) shown += std::string(word) + " ";
  auto parsed = parse(std::move(words));
  const auto* code = std::get_if<ExitCode>(&parsed);
  ASSERT_TRUE(code) << shown;
  EXPECT_EQ(code->code, 2) << shown;
}

TEST(CommandLine, InstallTakesChannelOrVersion) {
  auto plain = good({"install", "game"});
  EXPECT_EQ(plain.command, Command::start);
  EXPECT_EQ(plain.request.kind, ChangeKind::install);
  EXPECT_EQ(plain.request.product, "game");
  EXPECT_FALSE(plain.request.channel || plain.request.version || plain.request.library);
  EXPECT_FALSE(plain.request.repository);
  EXPECT_TRUE(plain.wait);
  EXPECT_EQ(good({"install", "game@beta"}).request.channel, "beta");
  EXPECT_EQ(good({"install", "game=1.0"}).request.version, "1.0");
  auto full =
      good({"install", "--component", "base", "game", "--library", "/srv/x/../games", "--component",
            "de", "--priority", "background", "--no-wait", "--repository", "3"});
  EXPECT_EQ(full.request.library, "/srv/games");
  EXPECT_EQ(full.request.repository, 3);
  EXPECT_EQ(full.request.components, (std::vector<std::string>{"base", "de"}));
  EXPECT_EQ(full.request.priority, protocol::Priority::background);
  EXPECT_FALSE(full.wait);
}

TEST(CommandLine, GlobalOptionsMayStandAnywhere) {
  EXPECT_EQ(good({"--socket", "/s", "--json", "list"}).socket, "/s");
  auto after = good({"list", "--json", "--socket", "/s"});
  EXPECT_TRUE(after.json);
  EXPECT_EQ(after.socket, "/s");
  EXPECT_TRUE(good({"repo", "list", "--json"}).json);
}

TEST(CommandLine, UpdateWithoutProductMeansAll) {
  EXPECT_EQ(good({"update"}).command, Command::update_all);
  EXPECT_EQ(good({"update", "game"}).command, Command::start);
  EXPECT_EQ(good({"update", "game"}).request.kind, ChangeKind::update);
}

TEST(CommandLine, PlanTakesTheSameWords) {
  auto plan = good({"plan", "install", "game@beta", "--library", "/l"});
  EXPECT_EQ(plan.command, Command::plan);
  EXPECT_EQ(plan.request.kind, ChangeKind::install);
  EXPECT_EQ(plan.request.channel, "beta");
  EXPECT_EQ(good({"plan", "update", "game"}).request.kind, ChangeKind::update);
  EXPECT_EQ(good({"plan", "repair", "game"}).request.kind, ChangeKind::repair);
}

TEST(CommandLine, EveryOtherCommandIsKnown) {
  EXPECT_EQ(good({"verify", "game"}).request.kind, ChangeKind::verify);
  EXPECT_EQ(good({"repair", "game"}).request.kind, ChangeKind::repair);
  EXPECT_EQ(good({"uninstall", "game"}).request.kind, ChangeKind::uninstall);
  EXPECT_EQ(good({"list"}).command, Command::list);
  EXPECT_EQ(good({"products"}).command, Command::products);
  EXPECT_EQ(good({"status"}).command, Command::status);
  EXPECT_EQ(good({"watch"}).command, Command::watch);
  EXPECT_EQ(good({"pause", "c1"}).command, Command::pause);
  EXPECT_EQ(good({"resume", "c1"}).command, Command::resume);
  EXPECT_EQ(good({"cancel", "c1"}).change, "c1");
  EXPECT_EQ(good({"repo", "add", "http://x/", "--root", "r.json"}).url, "http://x/");
  EXPECT_EQ(good({"repo", "remove", "3"}).repository, 3);
}

TEST(CommandLine, ConfigurationIsShownOrChanged) {
  auto shown = good({"consent"});
  EXPECT_EQ(shown.command, Command::config);
  EXPECT_FALSE(shown.config.consent);
  EXPECT_EQ(good({"consent", "lan"}).config.consent, protocol::Consent::lan);
  EXPECT_EQ(good({"config", "policy", "thrifty"}).config.policy, protocol::PolicyChoice::thrifty);
  EXPECT_EQ(good({"config", "policy", "thrifty"}).command, Command::config);
  EXPECT_EQ(good({"config", "policy", "publisher"}).config.policy,
            protocol::PolicyChoice::publisher);
  auto limit = good({"limit", "--upload", "40Mbit", "--download", "none"});
  EXPECT_EQ(limit.config.upload_bytes_per_s, 5'000'000u);
  EXPECT_EQ(limit.config.download_bytes_per_s, 0u);
}

TEST(CommandLine, BadUsageIsExitCode2) {
  expect_usage_error({});
  expect_usage_error({"instal", "game"});
  expect_usage_error({"install"});
  expect_usage_error({"install", "../game"});
  expect_usage_error({"install", "game@"});
  expect_usage_error({"install", "game@a=b"});
  expect_usage_error({"install", "game", "--priority", "high"});
  expect_usage_error({"install", "game", "extra"});
  expect_usage_error({"verify"});
  expect_usage_error({"plan"});
  expect_usage_error({"plan", "update"});
  expect_usage_error({"plan", "verify", "game"});  // it has no plan
  expect_usage_error({"repo"});
  expect_usage_error({"repo", "add", "http://x/"});
  expect_usage_error({"repo", "remove", "x"});
  expect_usage_error({"limit", "--upload", "5"});
  expect_usage_error({"consent", "maybe"});
  expect_usage_error({"list", "--bogus"});
}

TEST(CommandLine, HelpAndVersionAreNoErrors) {
  for (const char* word : {"--help", "--version"}) {
    auto parsed = parse({word});
    ASSERT_TRUE(std::holds_alternative<ExitCode>(parsed));
    EXPECT_EQ(std::get<ExitCode>(parsed).code, 0);
  }
}

}  // namespace
}  // namespace shoal::cli
