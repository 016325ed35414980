// What all commands share: how they open a repository and its keys, and how they print.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands.hpp"

namespace shoal::cli {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

publish::Environment environment();
publish::KeyStore keys_of(const CommonOptions& common, bool new_passphrase = false);
// Says what is about to be signed, unless the output is JSON; calls `before_notice` before it does.
Result<publish::Repository> open_repository(const CommonOptions& common,
                                            std::function<void()> before_notice = {});
// What changes, and who signs: said before anything is signed.
void print_changes(const std::vector<std::string>& changes);
void print_signer(const std::string& key_id, const std::string& words,
                  const std::vector<std::string>& roles);
void print_json(const nlohmann::json& document);
void print_warnings(const std::vector<std::string>& warnings);

}  // namespace shoal::cli
