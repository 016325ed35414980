// Removes what a publisher that was killed left behind, and what newer versions have replaced. The
// repository must be locked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "base/error.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// So many versions of snapshot and of each targets role stay, with the target files they list: a
// client that began its refresh a moment ago still finds everything.
inline constexpr std::uint64_t kKeptVersions = 4;

// "<version>.<role>.json"; none for other names.
struct MetadataName {
  std::uint64_t version = 0;
  std::string role;
};
std::optional<MetadataName> parse_metadata_name(const std::string& file_name);

// Whether the name is one that write_file_atomic gives its temporary files.
bool is_temporary_name(const std::string& file_name);

// The files under targets/ that a kept version or a pending proposal lists.
std::set<std::filesystem::path> kept_target_files(const Layout& layout, const State& state);

// Metadata that no timestamp ever named, and temporary files.
Result<void> remove_unfinished(const Layout& layout, const State& state);
// Metadata older than the kept versions, and target files that none of those list.
Result<void> remove_superseded(const Layout& layout, const State& state);
// Pending proposals whose roles are in force by now, or were changed otherwise. Returns how many.
Result<std::size_t> remove_applied(const Layout& layout, const State& state);
// Bundles that no edge index of a kept version or a pending proposal names.
Result<void> remove_unreferenced_bundles(const Layout& layout, const State& state);

}  // namespace shoal::publish
