// Proposals that wait in the repository for signatures. What they name is kept from being cleaned
// away; another one that took their place would take their files with it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "publish/proposal.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// What lies in .pending, by file; what cannot be read is left alone.
std::map<std::filesystem::path, Proposal> pending_proposals(const Layout& layout);

// A proposal with files of its own is given up by deleting it here. Errors: conflict when it is not
// here, and names files that are not in force.
Result<void> check_not_given_up(const Layout& layout, const State& state, const Proposal& proposal);

// Whether all of its roles are at the next version, and none is past its date. A product's.
bool can_be_applied(const Proposal& proposal, const State& state, UtcSeconds now);
// Whether it has files of its own (a release, a channel), that go when it does.
bool names_new_files(const Proposal& proposal, const State& state);

struct WaitingProposal {
  std::filesystem::path file;
  bool with_files = false;
};
// The roles of proposals that can still be applied. Of two for one role, one with files.
// `apart_from` (may be null) and its copies do not count.
std::map<std::string, WaitingProposal> roles_that_wait(const Layout& layout, const State& state,
                                                       UtcSeconds now,
                                                       const Proposal* apart_from = nullptr);

}  // namespace shoal::publish
