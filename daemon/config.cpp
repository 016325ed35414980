// One table of options serves the file, the flags and the help, so that they cannot differ.
#include "daemon/config.hpp"

#include <fmt/core.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "base/nearest.hpp"
#include "base/words.hpp"

namespace shoal::daemon {
namespace {

using Setter = Result<void> (*)(Config&, const std::string&);

struct Option {
  std::string_view name;  // in the file with '_', as a flag with '-'
  std::string_view value;
  std::string_view help;
  Setter set;
};

std::unexpected<Error> bad_value(std::string_view value, std::string_view expected) {
  return fail(ErrorKind::invalid_request, fmt::format("'{}' is not {}", value, expected),
              "'shoald --help' lists the keys and their values.");
}

Result<bool> parse_bool(const std::string& text) {
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  return bad_value(text, "true or false");
}

// Bytes per second; K, M and G are powers of 1,000.
Result<std::uint64_t> parse_rate(const std::string& text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::uint64_t factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "K") factor = 1'000;
  if (unit == "M") factor = 1'000'000;
  if (unit == "G") factor = 1'000'000'000;
  if (error != std::errc{} || factor == 0 || number > INT64_MAX / factor)
    return bad_value(text, "a rate in bytes per second, such as 5000000 or 5M");
  return number * factor;
}

Result<std::chrono::hours> parse_hours(const std::string& text) {
  constexpr unsigned kMost = 24 * 366;
  unsigned number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > kMost)
    return bad_value(text, fmt::format("a number of hours from 0 to {}", kMost));
  return std::chrono::hours(number);
}

template <auto Member>
Result<void> set_text(Config& config, const std::string& text) {
  config.*Member = text;
  return {};
}
template <auto Member>
Result<void> set_path(Config& config, const std::string& text) {
  if (text.empty()) return bad_value(text, "a path");
  config.*Member = std::filesystem::absolute(text).lexically_normal();
  return {};
}
template <auto Member>
Result<void> set_bool(Config& config, const std::string& text) {
  SHOAL_ASSIGN(config.*Member, parse_bool(text));
  return {};
}
template <auto Member>
Result<void> set_rate(Config& config, const std::string& text) {
  SHOAL_ASSIGN(config.*Member, parse_rate(text));
  return {};
}

template <auto Member>
Result<void> set_hours(Config& config, const std::string& text) {
  SHOAL_ASSIGN(config.*Member, parse_hours(text));
  return {};
}

Result<void> add_library(Config& config, const std::string& text) {
  if (text.empty()) return bad_value(text, "a path");
  config.libraries.push_back(std::filesystem::absolute(text).lexically_normal());
  return {};
}

Result<void> set_consent(Config& config, const std::string& text) {
  config.consent = value_of(kConsentWords<transfer::Consent>, text);
  return config.consent ? Result<void>() : bad_value(text, "granted, lan or denied");
}

Result<void> set_policy(Config& config, const std::string& text) {
  auto policy = value_of(kPolicyWords<transfer::Policy>, text);
  if (!policy && text != kPublishersPolicyWord)
    return bad_value(text, "publisher, fastest, balanced or thrifty");
  config.policy = policy;
  return {};
}

Result<void> set_log_level(Config& config, const std::string& text) {
  if (text == "debug")
    config.log_level = LogLevel::debug;
  else if (text == "info")
    config.log_level = LogLevel::info;
  else if (text == "warning")
    config.log_level = LogLevel::warning;
  else if (text == "error")
    config.log_level = LogLevel::error;
  else
    return bad_value(text, "debug, info, warning or error");
  return {};
}

constexpr std::array kOptions = {
    Option{"state", "DIR", "where the daemon keeps its own state", set_path<&Config::state>},
    Option{"socket", "PATH", "the local API's socket", set_path<&Config::socket>},
    Option{"socket_group", "GROUP", "members may act, not only read",
           set_text<&Config::socket_group>},
    Option{"library", "DIR", "a folder for installs; repeatable, the first is the default",
           add_library},
    Option{"listen", "ADDR:PORT,…", "where peers connect to", set_text<&Config::listen>},
    Option{"outgoing", "ADDR", "address that connections to peers leave from",
           set_text<&Config::outgoing>},
    Option{"consent", "granted|lan|denied", "which peer traffic is allowed", set_consent},
    Option{"policy", "publisher|fastest|balanced|thrifty",
           "how readily the edge is asked; publisher: as each repository says", set_policy},
    Option{"upload_limit", "RATE", "bytes per second, K M G allowed, 0: none",
           set_rate<&Config::upload_limit>},
    Option{"download_limit", "RATE", "bytes per second, K M G allowed, 0: none",
           set_rate<&Config::download_limit>},
    Option{"lan_discovery", "BOOL", "find peers on the local network",
           set_bool<&Config::lan_discovery>},
    Option{"dht", "BOOL", "find peers through the public DHT, where the publisher allows it",
           set_bool<&Config::dht>},
    Option{"pex", "BOOL", "exchange peers with peers", set_bool<&Config::pex>},
    Option{"upnp", "BOOL", "ask the router for a port", set_bool<&Config::upnp>},
    Option{"utp", "BOOL", "yield to other traffic (uTP)", set_bool<&Config::utp>},
    Option{"keep_deltas", "HOURS",
           "offer what an update was made of to others for so long; 0: not at all",
           set_hours<&Config::keep_deltas>},
    Option{"log_level", "debug|info|warning|error", "the least that is logged", set_log_level},
};

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  names.reserve(std::size(kOptions));
  for (const auto& option : kOptions) names.emplace_back(option.name);
  return names;
}

std::filesystem::path folder_from(const char* variable, const char* home_relative) {
  if (const char* value = std::getenv(variable); value != nullptr && *value == '/')
    return std::filesystem::path(value) / "shoal";
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : "/var/lib") / home_relative / "shoal";
}

Result<const Option*> find_option(std::string_view key) {
  auto option = std::ranges::find(kOptions, key, &Option::name);
  if (option != kOptions.end()) return &*option;
  auto nearest = nearest_name(key, option_names());
  return fail(ErrorKind::invalid_request, fmt::format("there is no key '{}'", key),
              nearest.empty() ? "'shoald --help' lists the keys."
                              : fmt::format("Did you mean '{}'?", nearest));
}

Result<void> set_from_toml(Config& config, std::string_view key, const toml::node& node) {
  if (const auto* array = node.as_array()) {
    for (const auto& element : *array) SHOAL_TRY(set_from_toml(config, key, element));
    return {};
  }
  if (auto text = node.value<std::string>()) return set_option(config, key, *text);
  if (node.is_boolean()) return set_option(config, key, *node.value<bool>() ? "true" : "false");
  if (node.is_integer())
    return set_option(config, key, std::to_string(*node.value<std::int64_t>()));
  SHOAL_TRY(find_option(key));
  return bad_value(key, "given a text, number, boolean or list of these");
}

std::string flag_of(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::ranges::replace(flag, '_', '-');
  return flag;
}

// The flag that is nearest to one that there is not; "" when none is near.
std::string nearest_flag(const std::vector<std::string>& unknown) {
  std::vector<std::string> flags = {"--config"};
  for (const auto& option : kOptions) flags.push_back(flag_of(option.name));
  for (const auto& word : unknown)
    if (auto name = word.substr(0, word.find('=')); name.starts_with("--"))
      return nearest_name(name, flags);
  return "";
}

}  // namespace

Config default_config() {
  Config config;
  const char* state = std::getenv("STATE_DIRECTORY");
  const char* runtime = std::getenv("RUNTIME_DIRECTORY");
  const char* user_runtime = std::getenv("XDG_RUNTIME_DIR");
  config.state = state != nullptr ? std::filesystem::path(state)
                                  : folder_from("XDG_STATE_HOME", ".local/state");
  if (runtime != nullptr)
    config.socket = std::filesystem::path(runtime) / "api.sock";
  else if (user_runtime != nullptr && ::geteuid() != 0)
    config.socket = std::filesystem::path(user_runtime) / "shoal" / "api.sock";
  else
    config.socket = "/run/shoal/api.sock";
  return config;
}

Result<void> set_option(Config& config, std::string_view key, const std::string& value) {
  SHOAL_ASSIGN(const auto* option, find_option(key));
  auto set = option->set(config, value);
  if (!set)
    return fail(set.error().kind, fmt::format("{}: {}", key, set.error().message),
                set.error().remedy);
  return {};
}

Result<void> read_config_file(Config& config, const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    return fail(ErrorKind::not_found, fmt::format("there is no file {}", path.string()),
                "Name the configuration with --config FILE, or leave it out.");
  try {
    auto table = toml::parse_file(path.string());
    if (table.contains("library")) config.libraries.clear();
    for (const auto& [key, node] : table) {
      auto set = set_from_toml(config, key.str(), node);
      if (!set)
        return fail(set.error().kind,
                    fmt::format("{}, line {}: {}", path.string(), node.source().begin.line,
                                set.error().message),
                    set.error().remedy);
    }
  } catch (const toml::parse_error& error) {
    return fail(ErrorKind::invalid_request,
                fmt::format("{}, line {}, column {}: {}", path.string(), error.source().begin.line,
                            error.source().begin.column, error.description()),
                "Correct the file.");
  }
  return {};
}

ParsedArguments parse_arguments(int argc, char** argv) {
  ParsedArguments parsed;
  parsed.config = default_config();
  CLI::App app{
      "Shoal's daemon: installs, updates and seeds. It is driven over its socket: shoal --help",
      "shoald"};
  std::string file;
  bool version = false;
  app.add_option("--config", file, "TOML; its keys are the options below with '_' for '-'")
      ->type_name("FILE");
  app.add_flag("--version", version, "print the version");
  std::vector<std::pair<std::string_view, std::vector<std::string>>> values;
  values.reserve(kOptions.size());  // CLI11 keeps references into it
  for (const auto& option : kOptions) {
    values.emplace_back(option.name, std::vector<std::string>());
    app.add_option(flag_of(option.name), values.back().second, std::string(option.help))
        ->type_name(std::string(option.value))
        ->expected(1)
        ->take_all();
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
    if (auto meant = nearest_flag(app.remaining()); *parsed.exit_code != 0 && !meant.empty())
      fmt::print(stderr, "Did you mean '{}'?\n", meant);
    return parsed;
  }
  if (version) {
    fmt::print("shoald {}\n", SHOAL_VERSION);
    parsed.exit_code = 0;
    return parsed;
  }
  auto apply = [&]() -> Result<void> {
    if (!file.empty()) SHOAL_TRY(read_config_file(parsed.config, file));
    for (const auto& [name, texts] : values) {
      if (!texts.empty() && name == "library") parsed.config.libraries.clear();
      for (const auto& text : texts) SHOAL_TRY(set_option(parsed.config, name, text));
    }
    return {};
  };
  if (auto applied = apply(); !applied) {
    fmt::print(stderr, "shoald: {}\n", applied.error().describe());
    parsed.exit_code = 2;
  }
  if (parsed.config.libraries.empty())
    parsed.config.libraries.push_back(parsed.config.state / "library");
  return parsed;
}

}  // namespace shoal::daemon
