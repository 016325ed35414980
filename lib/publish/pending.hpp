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

// The roles for which a proposal waits that can still be applied and has files of its own (a
// release, a channel), with where it lies.
std::map<std::string, std::filesystem::path> roles_that_wait(const Layout& layout,
                                                             const State& state);

}  // namespace shoal::publish
