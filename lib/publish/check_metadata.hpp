// The part of the check that looks at each metadata file by itself, superseded ones too.
#pragma once

#include "publish/check.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// Form of every file under metadata/, and its signatures by the keys in force. `state` is null when
// the metadata in force could not be loaded.
void check_metadata_files(const Layout& layout, const State* state, CheckReport& report);

}  // namespace shoal::publish
