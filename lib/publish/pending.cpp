// Read from the disk each time: a proposal is given up by deleting its file.
#include "publish/pending.hpp"

#include <algorithm>

#include "base/file.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
constexpr trust::Limits kLimits{};

// Whether it is the next version of a role of that state, and names files that are not in force.
bool waits_with_files(const trust::Targets& body, const std::string& role, const State& state) {
  auto listed = state.snapshot.meta.find(role);
  auto last = listed == state.snapshot.meta.end() ? 0 : listed->second.version;
  return body.version == last + 1 && std::ranges::any_of(body.targets, [&](const auto& target) {
           const auto* known = state.find(target.first);
           return !known || known->hashes.sha256 != target.second.hashes.sha256;
         });
}

}  // namespace

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

std::map<std::string, fs::path> roles_that_wait(const Layout& layout, const State& state) {
  std::map<std::string, fs::path> out;
  for (const auto& [path, proposal] : pending_proposals(layout)) {
    bool with_files = std::ranges::any_of(proposal.roles, [&](const auto& role) {
      auto body = trust::parse_targets(role.file(), role.role, kLimits);
      return body && waits_with_files(body->body, role.role, state);
    });
    if (!with_files) continue;
    for (const auto& role : proposal.roles) out.emplace(role.role, path);
  }
  return out;
}

}  // namespace shoal::publish
