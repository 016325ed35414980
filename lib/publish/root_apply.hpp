// What is left to do after a publisher that was killed while it put a new root in force.
#pragma once

#include "base/error.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// root.json is written after the root that it is a copy of.
Result<void> renew_root_copy(const Layout& layout, const State& state);

}  // namespace shoal::publish
