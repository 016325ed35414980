// What all commands share: how they open a repository and its keys, and how they print.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "commands.hpp"

namespace shoal::cli {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

publish::Environment environment();
publish::KeyStore keys_of(const CommonOptions& common, bool new_passphrase = false);
Result<publish::Repository> open_repository(const CommonOptions& common);
void print_json(const nlohmann::json& document);
void print_warnings(const std::vector<std::string>& warnings);

}  // namespace shoal::cli
