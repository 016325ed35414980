// The newest root lies in two places: metadata/N.root.json, which clients on older roots follow,
// and root.json, which is given to new ones. Where they differ, one of them is damaged or was not
// written yet; the other one is good.
#pragma once

#include "base/error.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

enum class RootCopies {
  same,
  copy_is_older,      // a publisher was killed between the two
  numbered_is_lost,   // metadata/N.root.json is not there, or cannot be read
  numbered_is_wrong,  // it is damaged, or not signed
  two_roots,          // both are signed, and they say different things
};

// Of a repository that could be loaded: root.json is good, and so are newer roots.
RootCopies compare_root_copies(const Layout& layout, const State& state);

// Writes the one that is missing or wrong anew from the other. Errors: conflict (two_roots), those
// of files.
Result<void> restore_root_copies(const Layout& layout, const State& state);

}  // namespace shoal::publish
