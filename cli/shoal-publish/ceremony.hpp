// The commands of the key ceremony: keys, proposals for a root or a product, delegations, doctor.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "commands.hpp"

namespace shoal::cli {

struct KeyOptions {
  std::filesystem::path file;
  bool no_passphrase = false;
};
Result<int> key_new(const CommonOptions& common, const KeyOptions& options);
Result<int> key_show(const CommonOptions& common, const KeyOptions& options);

// "[ROLE=]VALUE", as given.
struct ProposeOptions {
  std::vector<std::string> add_keys, remove_keys, thresholds, rotate;
  std::string expires;
  std::filesystem::path output;
};
Result<int> root_propose(const CommonOptions& common, const ProposeOptions& options);

struct ProposalOptions {
  std::vector<std::filesystem::path> files;  // apply: several copies of one proposal
  std::filesystem::path key;
  std::filesystem::path trusted_root;  // empty: none
  bool yes = false;
};
Result<int> proposal_review(const CommonOptions& common, publish::ProposalKind kind,
                            const ProposalOptions& options);
Result<int> proposal_sign(const CommonOptions& common, publish::ProposalKind kind,
                          const ProposalOptions& options);
Result<int> proposal_apply(const CommonOptions& common, publish::ProposalKind kind,
                           const ProposalOptions& options);

struct DelegateOptions {
  std::string product;
  std::vector<std::filesystem::path> keys;
  std::optional<std::uint32_t> threshold;
};
Result<int> delegate(const CommonOptions& common, const DelegateOptions& options);

Result<int> doctor(const CommonOptions& common);

}  // namespace shoal::cli
