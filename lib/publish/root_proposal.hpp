// A proposal for the next root of a repository on disk, which is only read.
#pragma once

#include <vector>

#include "publish/proposal.hpp"
#include "publish/root_change.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// The roots that are there without a gap up to the newest, oldest first.
Result<std::vector<Bytes>> published_roots(const Layout& layout, const State& state);
// Adds the metadata in force of "targets" or a product.
Result<void> add_in_force(const Layout& layout, const State& state, const std::string& role,
                          Proposal& proposal);

// Where the keys of `targets` change so that its metadata must be signed anew, that is part of the
// proposal. Errors: those of next_root.
struct RootLifetimes {
  std::chrono::days root, targets;
};
Result<Proposal> propose_root(const Layout& layout, const State& state, const RootChange& change,
                              UtcSeconds now, const RootLifetimes& lifetimes);

}  // namespace shoal::publish
