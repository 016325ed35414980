// One function for each part of the metadata by which more could be published than a review shows:
// who speaks for which paths, in which order they are asked, how their keys are written, what the
// top level itself answers, and where channels point.
#include "publish/proposal_scope.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "content/repository_info.hpp"
#include "publish/describe.hpp"
#include "publish/product.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

std::unexpected<Error> refused(std::string why) {
  return fail(ErrorKind::metadata_invalid, "proposal: " + std::move(why),
              "Do not sign it, and ask whoever made it: no command of shoal-publish does that.");
}

std::unexpected<Error> incomplete(const std::string& role, std::string_view what) {
  return fail(ErrorKind::metadata_invalid,
              fmt::format("proposal: {} of '{}' is not in it, so that nobody can tell what changes",
                          what, role),
              "Do not sign it: ask for the proposal anew, from whoever runs the repository.");
}

bool is_same(const trust::Delegation& a, const trust::Delegation& b) {
  return a.role == b.role && is_same_scope(a, b);
}

using Delegations = std::vector<trust::Delegation>;

// A product speaks for its own folder only, and for that alone: a pattern, a hash prefix or a
// search that goes on would let it answer for others.
Result<void> check_paths(const Delegations& before, const Delegations& after) {
  std::map<std::string, const trust::Delegation*> old;
  for (const auto& entry : before) old[entry.role] = &entry;
  for (const auto& entry : after) {
    auto known = old.find(entry.role);
    if (known != old.end() && is_same_scope(*known->second, entry)) continue;
    if (!check_product_name(entry.role))
      return refused(fmt::format("'{}' is no name of a product", printable(entry.role)));
    if (!is_same_scope(product_delegation(entry.role), entry))
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

// An id is made of a key's whole object. Of members that are not known nothing is left where the
// key is written again, so that nobody could read the version after this one.
Result<void> check_keys(const trust::KeyMap& before, const trust::KeyMap& after) {
  for (const auto& [id, key] : after)
    if (!before.contains(id) && trust::key_id(key) != id)
      return refused(
          fmt::format("the key {} holds more than shoal-publish writes of a key: what is published "
                      "after it could not be read",
                      named_key(id, after)));
  return {};
}

// Without consistent snapshots clients ask for names that this program never writes.
Result<void> check_root(const trust::Root& before, const trust::Root& after) {
  if (before.consistent_snapshot && !after.consistent_snapshot)
    return refused("the root would turn consistent snapshots off, and no client find a file");
  return check_keys(before.keys, after.keys);
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

// What it would replace, without which the new would look like all there is.
Result<void> check_replaced(const CheckedProposal& checked, const std::string& role) {
  if (checked.body_in_force(role)) return {};
  const auto* targets = checked.body_in_force("targets");
  bool is_there = !targets || role == "targets" ||
                  std::ranges::find(targets->delegations, role, &trust::Delegation::role) !=
                      targets->delegations.end();
  if (is_there) return incomplete(role, "the metadata in force");
  return {};
}

// The file with those bytes, as the metadata has it; null when it is not among them.
const Bytes* find_file(const std::map<std::string, Bytes>& files, const std::string& path,
                       const trust::TargetMeta& meta) {
  auto file = files.find(path);
  bool right =
      file != files.end() && trust::check_file(file->second, meta.length, meta.hashes, path);
  return right ? &file->second : nullptr;
}

// Which versions clients install: where that changes, both lists must be there to be compared.
Result<void> check_channels(const Proposal& proposal, const std::string& product,
                            const trust::Targets* before, const trust::Targets& after) {
  const auto path = content::channels_target(product);
  auto proposed = after.targets.find(path);
  if (proposed == after.targets.end())
    return refused(fmt::format("'{}' would have no list of channels", product));
  const auto& meta = proposed->second;
  const bool known = before && before->targets.contains(path);
  if (known && is_same_file(before->targets.at(path), meta)) return {};
  const auto* list = find_file(proposal.files, path, meta);
  if (!list) return incomplete(product, "the new list of channels");
  if (auto parsed = content::parse_channels(*list); !parsed)
    return refused(fmt::format("the list of channels of '{}' cannot be read: {}", product,
                               parsed.error().message));
  if (known && !find_file(proposal.files_in_force, path, before->targets.at(path)))
    return incomplete(product, "the list of channels in force");
  return {};
}

}  // namespace

Result<void> check_scope(const Proposal& proposal, const CheckedProposal& checked) {
  if (checked.new_root) SHOAL_TRY(check_root(checked.root(), *checked.new_root));
  const Delegations none;
  const trust::KeyMap no_keys;
  for (const auto& [role, body] : checked.proposed) {
    SHOAL_TRY(check_replaced(checked, role));
    const auto* in_force = checked.body_in_force(role);
    const auto& before = in_force ? in_force->delegations : none;
    if (role != "targets" && !std::ranges::equal(before, body.delegations, is_same))
      return refused(fmt::format("'{}' would let others speak for its files", role));
    SHOAL_TRY(check_keys(in_force ? in_force->keys : no_keys, body.keys));
    SHOAL_TRY(check_paths(before, body.delegations));
    SHOAL_TRY(check_order(before, body.delegations));
    if (role == "targets")
      SHOAL_TRY(check_top_level(in_force, body));
    else
      SHOAL_TRY(check_channels(proposal, role, in_force, body));
  }
  return {};
}

}  // namespace shoal::publish
