// The system clock, the keys that --keys names, and JSON with two spaces.
#include "report.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/usage/sanitised.hpp"
#include "terminal.hpp"

namespace shoal::cli {

publish::Environment environment() { return {SystemClock().now(), {}, {}}; }

publish::KeyStore keys_of(const CommonOptions& common, bool new_passphrase) {
  return publish::KeyStore(common.keys, ask_passphrase(new_passphrase));
}

Result<publish::Repository> open_repository(const CommonOptions& common, Told& told,
                                            std::function<void()> before_notice) {
  auto with_notice = environment();
  with_notice.about_to_sign = [&told, json = common.json,
                               before = std::move(before_notice)](const auto& notice) {
    told.push_back(notice);
    if (json) return;
    if (before) before();
    print_changes(notice.changes);
    for (const auto& key : notice.keys) print_signer(key.id, key.words, key.roles);
    std::fflush(stdout);
  };
  return publish::Repository::open(common.repository, std::move(with_notice));
}

nlohmann::json to_json(const Told& told) {
  auto out = nlohmann::json::array();
  for (const auto& notice : told) {
    auto keys = nlohmann::json::array();
    for (const auto& key : notice.keys)
      keys.push_back({{"key_id", key.id}, {"words", key.words}, {"roles", key.roles}});
    out.push_back({{"changes", notice.changes}, {"keys", std::move(keys)}});
  }
  return out;
}

void print_changes(const std::vector<std::string>& changes) {
  fmt::print("What changes:\n");
  for (const auto& line : changes) fmt::print("  {}\n", line);
}

void print_signer(const std::string& key_id, const std::string& words,
                  const std::vector<std::string>& roles) {
  constexpr std::size_t kShortId = 8;
  fmt::print("You sign with the key {} ({}): {}.\n", key_id.substr(0, kShortId), words,
             roles.empty() ? "nothing" : fmt::format("{}", fmt::join(roles, ", ")));
}

void print_json(const nlohmann::json& document) { fmt::print("{}\n", document.dump(2)); }

void print_warnings(const std::vector<std::string>& warnings) {
  for (const auto& warning : warnings) fmt::print(stderr, "warning: {}\n", sanitised(warning));
}

int report_error(const Error& error, bool as_json) {
  if (as_json) {
    nlohmann::json document = {{"error",
                                {{"kind", info(error.kind).name},
                                 {"message", error.message},
                                 {"remedy", error.remedy_or_default()},
                                 {"retryable", error.retryable()}}}};
    auto lenient = nlohmann::json::error_handler_t::replace;
    fmt::print(stderr, "{}\n", document.dump(2, ' ', false, lenient));
  } else {
    fmt::print(stderr, "shoal-publish: {}\n", sanitised(error.describe()));
  }
  if (error.kind == ErrorKind::cancelled) return info(error.kind).exit_code;
  return error.kind == ErrorKind::invalid_request ? kUsage : kFailed;
}

}  // namespace shoal::cli
