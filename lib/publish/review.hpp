// What a proposal changes, in words that a person can judge before signing. Pure.
#pragma once

#include <string>
#include <vector>

#include "publish/describe.hpp"
#include "publish/proposal.hpp"

namespace shoal::publish {

struct ReviewedKey {
  std::string id;     // as the metadata has it
  std::string words;  // the fingerprint
  bool signed_it = false;
};

// Who must sign a role, and who has.
struct ReviewedRole {
  std::string role;
  std::uint64_t version = 0;
  UtcSeconds expires{};
  struct Side {
    std::string who;  // "the keys of root 3", "its own keys", …
    std::uint32_t threshold = 0;
    std::size_t have = 0;
    bool must = true;
    std::vector<ReviewedKey> keys;
  };
  std::vector<Side> sides;
};

struct Review {
  ProposalKind kind = ProposalKind::root;
  std::vector<std::string> changes;  // one sentence each
  // Of a root: every role's keys as they will be, so that a change hidden from `changes` by a
  // forged history shows.
  struct RoleAfter {
    std::string role;
    std::uint32_t threshold = 0;
    std::vector<ReviewedKey> keys;
  };
  std::vector<RoleAfter> after;
  std::vector<std::string> clients;   // whether clients on each older root will follow
  std::vector<std::string> warnings;  // what would be unwise to sign without a second thought
  std::vector<ReviewedRole> roles;
  bool complete = false;
};

// `now` judges expiry dates.
Review review_proposal(const Proposal& proposal, const CheckedProposal& checked, UtcSeconds now);

}  // namespace shoal::publish
