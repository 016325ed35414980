// Collects what a holder far away needs to judge the next root: all roots before it, and the
// targets metadata, which has to be signed anew when those who sign it change.
#include "publish/root_proposal.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/file.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

}  // namespace

Result<std::vector<Bytes>> published_roots(const Layout& layout, const State& state) {
  std::vector<Bytes> roots;
  for (std::uint64_t version = state.root.version; version > 0; --version) {
    auto bytes = read_file(layout.metadata(version, "root"), kLimits.root_bytes);
    if (!bytes && version != state.root.version) break;
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    if (version != state.root.version && !trust::parse_root(*bytes, kLimits)) break;
    roots.push_back(*std::move(bytes));
  }
  std::ranges::reverse(roots);
  return roots;
}

Result<void> add_in_force(const Layout& layout, const State& state, const std::string& role,
                          Proposal& proposal) {
  auto listed = state.snapshot.meta.find(role);
  if (listed == state.snapshot.meta.end())
    return fail(ErrorKind::internal, fmt::format("the snapshot does not list '{}'", role));
  SHOAL_ASSIGN(proposal.in_force[role],
               read_file(layout.metadata(listed->second.version, role), kLimits.targets_bytes));
  return {};
}

Result<Proposal> propose_root(const Layout& layout, const State& state, const RootChange& change,
                              UtcSeconds now, const RootLifetimes& lifetimes) {
  SHOAL_ASSIGN(auto root, next_root(state.root, change, now, lifetimes.root));
  Proposal proposal;
  proposal.kind = ProposalKind::root;
  SHOAL_ASSIGN(proposal.roots, published_roots(layout, state));
  SHOAL_TRY(add_in_force(layout, state, "targets", proposal));
  proposal.roles.push_back({"root", trust::signed_bytes_of(root), {}});
  SHOAL_ASSIGN(auto targets,
               trust::parse_targets(proposal.in_force.at("targets"), "targets", kLimits));
  if (!trust::check_threshold(root.targets, root.keys, targets.signed_bytes, targets.signatures,
                              "targets")) {
    ++targets.body.version;
    targets.body.expires = now + lifetimes.targets;
    proposal.roles.push_back({"targets", trust::signed_bytes_of(targets.body), {}});
  }
  for (const auto& role : proposal.roles) SHOAL_TRY(check_readable(role));
  return proposal;
}

}  // namespace shoal::publish
