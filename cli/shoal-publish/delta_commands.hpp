// The commands that make and apply deltas which stand alone.
#pragma once

#include <filesystem>
#include <string>

#include "base/stop_token.hpp"
#include "commands.hpp"

namespace shoal::cli {

struct DeltaOptions {
  std::filesystem::path old_tree, new_tree, delta, out_tree;
  std::string memory = "2GB";
  bool allow_outside_links = false;
  StopToken stop;
};

// "500MB", "2GB", "1.5GiB". Errors: invalid_request.
Result<std::uint64_t> parse_size(const std::string& text);

Result<int> delta(const CommonOptions& common, const DeltaOptions& options);
Result<int> delta_apply(const CommonOptions& common, const DeltaOptions& options);

}  // namespace shoal::cli
