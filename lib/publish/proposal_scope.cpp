// One function for each part of the metadata by which more could be published than a review shows:
// who speaks for which paths, in which order they are asked, and what the top level itself answers.
#include "publish/proposal_scope.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "publish/product.hpp"
#include "publish/review.hpp"

namespace shoal::publish {
namespace {

std::unexpected<Error> refused(std::string why) {
  return fail(ErrorKind::metadata_invalid, "proposal: " + std::move(why),
              "Do not sign it, and ask whoever made it: no command of shoal-publish does that.");
}

bool same_scope(const trust::Delegation& a, const trust::Delegation& b) {
  return a.paths == b.paths && a.path_hash_prefixes == b.path_hash_prefixes &&
         a.terminating == b.terminating;
}

bool is_same(const trust::Delegation& a, const trust::Delegation& b) {
  return a.role == b.role && same_scope(a, b);
}

using Delegations = std::vector<trust::Delegation>;

// A product speaks for its own folder only, and for that alone: a pattern, a hash prefix or a
// search that goes on would let it answer for others.
Result<void> check_paths(const Delegations& before, const Delegations& after) {
  std::map<std::string, const trust::Delegation*> old;
  for (const auto& entry : before) old[entry.role] = &entry;
  for (const auto& entry : after) {
    auto known = old.find(entry.role);
    if (known != old.end() && same_scope(*known->second, entry)) continue;
    if (!check_product_name(entry.role))
      return refused(fmt::format("'{}' is no name of a product", printable(entry.role)));
    if (!same_scope(product_delegation(entry.role), entry))
      return refused(
          fmt::format("'{}' would speak for other files than its own", printable(entry.role)));
  }
  return {};
}

// Clients ask the products one after the other: who comes first answers first.
Result<void> check_order(const Delegations& before, const Delegations& after) {
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < before.size(); ++i) place[before[i].role] = i;
  std::size_t last = 0;
  bool new_ones = false;
  for (const auto& entry : after) {
    auto known = place.find(entry.role);
    if (known == place.end()) {
      new_ones = true;
      continue;
    }
    if (new_ones || known->second < last)
      return refused(
          fmt::format("'{}' would be asked in another order than now, and new products "
                      "come last",
                      printable(entry.role)));
    last = known->second;
  }
  return {};
}

bool is_same_file(const trust::TargetMeta& a, const trust::TargetMeta& b) {
  return a.length == b.length && a.hashes.sha256 == b.hashes.sha256 &&
         a.hashes.sha512 == b.hashes.sha512;
}

// Clients search the top level before any product: a product's file there would take the place of
// the one that its team signed.
Result<void> check_top_level(const trust::Targets* before, const trust::Targets& after) {
  for (const auto& [path, meta] : after.targets) {
    if (path.find('/') == std::string::npos) continue;
    if (before) {
      auto known = before->targets.find(path);
      if (known != before->targets.end() && is_same_file(known->second, meta)) continue;
    }
    return refused(
        fmt::format("'targets' would publish {} in place of the product's team", printable(path)));
  }
  return {};
}

}  // namespace

Result<void> check_scope(const Proposal&, const CheckedProposal& checked) {
  const Delegations none;
  for (const auto& [role, body] : checked.proposed) {
    const auto* in_force = checked.body_in_force(role);
    const auto& before = in_force ? in_force->delegations : none;
    if (role != "targets" && !std::ranges::equal(before, body.delegations, is_same))
      return refused(fmt::format("'{}' would let others speak for its files", role));
    SHOAL_TRY(check_paths(before, body.delegations));
    SHOAL_TRY(check_order(before, body.delegations));
    if (role == "targets") SHOAL_TRY(check_top_level(in_force, body));
  }
  return {};
}

}  // namespace shoal::publish
