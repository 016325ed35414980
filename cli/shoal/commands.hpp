// Runs a parsed command against the daemon.
#pragma once

#include "cli/shoal/options.hpp"

namespace shoal::cli {

// The exit code.
int run(const Options& options);

}  // namespace shoal::cli
