// Compares role by role. Everything that is named comes from the verified metadata, and each key is
// named by its fingerprint as computed here, not as the file says.
#include "publish/review.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "publish/root_change.hpp"

namespace shoal::publish {
namespace {

constexpr std::chrono::days kLongTargets{400};  // the publisher's own are good for 90

std::vector<ReviewedKey> listed_keys(const Party& party, const std::vector<std::string>& signers) {
  std::vector<ReviewedKey> out;
  out.reserve(party.role.key_ids.size());
  for (const auto& id : party.role.key_ids)
    out.push_back({printable(id), key_words(id, party.keys),
                   std::ranges::find(signers, id) != signers.end()});
  return out;
}

void review_root(const CheckedProposal& checked, Review& review) {
  const auto& before = checked.root();
  const auto& after = *checked.new_root;
  for (auto role : kTopLevelRoles) {
    Party old_party{keys_of_role(before, role), before.keys};
    Party new_party{keys_of_role(after, role), after.keys};
    describe_keys(role, old_party, new_party, review.changes);
    review.after.push_back({role, new_party.role.threshold, listed_keys(new_party, {})});
  }
  auto online_keys_change = [&](const char* role) {
    auto ids = [&](const trust::Root& root) {
      const auto& list = keys_of_role(root, role).key_ids;
      return std::set<std::string>(list.begin(), list.end());
    };
    return ids(before) != ids(after);
  };
  if (online_keys_change("timestamp") || online_keys_change("snapshot"))
    review.changes.push_back(
        "clients forget the timestamp and the snapshot that they have: whatever a thief of the old "
        "keys made them believe is undone");
  if (before.consistent_snapshot != after.consistent_snapshot)
    review.changes.push_back(
        fmt::format("consistent snapshots: {}", after.consistent_snapshot ? "on" : "off"));
  review.changes.push_back(describe_root_version(before, after));
}

void review_clients(const CheckedProposal& checked, Review& review) {
  const auto& newest = checked.root();
  auto range = [](std::uint64_t from, std::uint64_t to) {
    return from == to ? fmt::format("root {}", from) : fmt::format("roots {} to {}", from, to);
  };
  if (checked.unbroken_from > 1)
    review.clients.push_back(
        fmt::format("clients on {} do not follow: a root after theirs is missing or not signed by "
                    "its predecessor's keys; they need the new root.json by hand",
                    range(1, checked.unbroken_from - 1)));
  auto reach = range(checked.unbroken_from, newest.version);
  const auto& root = checked.roles.front();
  if (root.complete())
    review.clients.push_back(fmt::format("clients on {} will follow", reach));
  else
    review.clients.push_back(
        fmt::format("clients on {} will follow once the missing signatures are there", reach));
}

void warn(const CheckedProposal& checked, UtcSeconds now, Review& review) {
  auto soon = now + std::chrono::days(30);
  for (const auto& role : checked.roles) {
    if (role.role != "root" && role.expires > now + kLongTargets)
      review.warnings.push_back(
          fmt::format("{} {} would be good until {}: whoever stole its keys could offer it as new "
                      "for so long",
                      role.role, role.version, format_utc(role.expires)));
    if (role.expires <= soon)
      review.warnings.push_back(fmt::format("{} {} already at {}", role.role,
                                            role.expires <= now ? "expired" : "expires",
                                            format_utc(role.expires)));
  }
  if (!checked.new_root) return;
  const auto& root = *checked.new_root;
  for (auto role : {"timestamp", "snapshot"})
    for (auto offline : {"root", "targets"})
      for (const auto& id : keys_of_role(root, role).key_ids) {
        const auto& ids = keys_of_role(root, offline).key_ids;
        if (std::ranges::find(ids, id) != ids.end())
          review.warnings.push_back(
              fmt::format("the key {} would sign both {} and {}: a thief of the online key could "
                          "sign for {}",
                          named_key(id, root.keys), role, offline, offline));
      }
  if (root.root.threshold < checked.root().root.threshold)
    review.warnings.push_back("fewer holders than before could replace every key");
}

ReviewedRole review_role(const CheckedProposal& checked, const CheckedRole& role,
                         const ProposedRole& proposed) {
  ReviewedRole out{role.role, role.version, role.expires, {}};
  auto side = [&](std::string who, const Party& party, bool must) {
    auto signers = party.signed_by(proposed);
    out.sides.push_back(
        {std::move(who), party.role.threshold, signers.size(), must, listed_keys(party, signers)});
  };
  if (role.before)
    side(fmt::format("the keys that root {} gives it", checked.root().version), *role.before,
         role.before_must_sign);
  side(role.role == "root" ? "its own keys"
       : !checked.new_root ? "its keys"
                           : "the keys that the new root gives it",
       role.after, true);
  return out;
}

}  // namespace

Review review_proposal(const Proposal& proposal, const CheckedProposal& checked, UtcSeconds now) {
  Review review;
  review.kind = checked.kind;
  if (checked.new_root) review_root(checked, review);
  for (const auto& [role, body] : checked.proposed) {
    auto lines = describe_next_version(role, checked.body_in_force(role), body);
    review.changes.insert(review.changes.end(), lines.begin(), lines.end());
  }
  for (auto& line : describe_channels(proposal.files_in_force, proposal.files))
    review.changes.push_back(std::move(line));
  if (checked.new_root) review_clients(checked, review);
  warn(checked, now, review);
  for (const auto& role : checked.roles)
    review.roles.push_back(review_role(checked, role, *proposal.find(role.role)));
  review.complete = checked.complete();
  return review;
}

}  // namespace shoal::publish
