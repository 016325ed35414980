// Read from the disk each time: a proposal is given up by deleting its file.
#include "publish/pending.hpp"

#include <algorithm>

#include "base/file.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
constexpr trust::Limits kLimits{};

// Whether it is the next version of a role of that state, and good for some time yet.
bool is_next_version(const trust::Targets& body, const std::string& role, const State& state,
                     UtcSeconds now) {
  auto listed = state.snapshot.meta.find(role);
  auto last = listed == state.snapshot.meta.end() ? 0 : listed->second.version;
  return body.version == last + 1 && body.expires > now;
}

bool names_new_files_of(const trust::Targets& body, const State& state) {
  return std::ranges::any_of(body.targets, [&](const auto& target) {
    const auto* known = state.find(target.first);
    return !known || known->hashes.sha256 != target.second.hashes.sha256;
  });
}

}  // namespace

bool can_be_applied(const Proposal& proposal, const State& state, UtcSeconds now) {
  return std::ranges::all_of(proposal.roles, [&](const auto& role) {
    auto body = trust::parse_targets(role.file(), role.role, kLimits);
    return body && is_next_version(body->body, role.role, state, now);
  });
}

bool names_new_files(const Proposal& proposal, const State& state) {
  return std::ranges::any_of(proposal.roles, [&](const auto& role) {
    auto body = trust::parse_targets(role.file(), role.role, kLimits);
    return body && names_new_files_of(body->body, state);
  });
}

std::map<fs::path, Proposal> pending_proposals(const Layout& layout) {
  constexpr std::size_t kMaxPending = 1000;  // a folder with anything in it
  std::map<fs::path, Proposal> out;
  std::error_code error;
  for (fs::directory_iterator entry(layout.pending(), error), end;
       !error && entry != end && out.size() < kMaxPending; entry.increment(error)) {
    if (entry->path().extension() != ".proposal") continue;
    auto bytes = read_file(entry->path(), kMaxProposalBytes);
    if (!bytes) continue;
    if (auto proposal = parse_proposal(*bytes)) out.emplace(entry->path(), *std::move(proposal));
  }
  return out;
}

std::map<std::string, WaitingProposal> roles_that_wait(const Layout& layout, const State& state,
                                                       UtcSeconds now, const Proposal* apart_from) {
  std::map<std::string, WaitingProposal> out;
  for (const auto& [path, proposal] : pending_proposals(layout)) {
    if (apart_from && is_same_proposal(proposal, *apart_from)) continue;
    if (!can_be_applied(proposal, state, now)) continue;
    const bool with_files = names_new_files(proposal, state);
    for (const auto& role : proposal.roles) {
      auto& entry = out.try_emplace(role.role, path, with_files).first->second;
      if (with_files && !entry.with_files) entry = {path, true};
    }
  }
  return out;
}

Result<void> check_not_given_up(const Layout& layout, const State& state,
                                const Proposal& proposal) {
  if (!names_new_files(proposal, state)) return {};
  for (const auto& [path, waiting] : pending_proposals(layout))
    if (is_same_proposal(waiting, proposal)) return {};
  return fail(
      ErrorKind::conflict,
      "the proposal does not wait here: it was given up, or superseded by a later proposal, "
      "or made on another copy of the repository",
      "Propose it again, or apply it where it was proposed.");
}

}  // namespace shoal::publish
