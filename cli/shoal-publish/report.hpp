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
// Says what is about to be signed, unless the output is JSON, and keeps it in `told`, which must
// outlive the repository; calls `before_notice` before it does.
using Told = std::vector<publish::SigningNotice>;
Result<publish::Repository> open_repository(const CommonOptions& common, Told& told,
                                            std::function<void()> before_notice = {});
// For the document of a command that has signed: nobody was asked, but all of it is there.
nlohmann::json to_json(const Told& told);
// What changes, and who signs: said before anything is signed.
void print_changes(const std::vector<std::string>& changes);
void print_signer(const std::string& key_id, const std::string& words,
                  const std::vector<std::string>& roles);
void print_json(const nlohmann::json& document);
void print_warnings(const std::vector<std::string>& warnings);

}  // namespace shoal::cli
