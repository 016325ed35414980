// What is left to do after a publisher that was killed while it put a new root in force.
#pragma once

#include "base/error.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// Puts the timestamp that goes with the newest root in place, if it is still waiting and the one in
// force does not fit. The repository must be locked.
Result<void> finish_root_change(const Layout& layout);

// root.json is written after the root that it is a copy of.
Result<void> renew_root_copy(const Layout& layout, const State& state);

}  // namespace shoal::publish
