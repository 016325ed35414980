// Deletes files by what the metadata in force says about their names; nothing else in the
// repository's folder is touched.
#include "publish/cleanup.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>
#include <vector>

#include "base/file.hpp"
#include "publish/pending.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

// Removes the files beneath a folder (links are not followed) for which `unwanted` says so, and the
// folders that this leaves empty.
Result<void> sweep(const fs::path& folder, const std::function<bool(const fs::path&)>& unwanted) {
  std::error_code error;
  std::vector<fs::path> found;
  fs::recursive_directory_iterator entry(folder, error), end;
  if (error == std::errc::no_such_file_or_directory) return {};
  for (; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->symlink_status(ignored).type() == fs::file_type::regular && unwanted(entry->path()))
      found.push_back(entry->path());
  }
  for (std::size_t i = 0; !error && i < found.size(); ++i) {
    fs::remove(found[i], error);
    std::error_code ignored;  // not empty: it stays
    for (auto parent = found[i].parent_path(); parent != folder && fs::remove(parent, ignored);)
      parent = parent.parent_path();
  }
  if (error) return fail(system_error(error.value(), "clean up", folder.native()));
  return {};
}

// The version of a role that is in force; none for a role that is not listed.
std::optional<std::uint64_t> version_in_force(const State& state, const std::string& role) {
  if (role == "root") return state.root.version;
  if (role == "snapshot") return state.snapshot.version;
  auto listed = state.snapshot.meta.find(role);
  if (listed == state.snapshot.meta.end()) return std::nullopt;
  return listed->second.version;
}

// Target paths with their hashes, of every kept version of every targets role. What cannot be read
// or parsed lists nothing: `check` says what is wrong with it.
std::set<std::pair<std::string, Digest>> kept_targets(const Layout& layout, const State& state) {
  constexpr trust::Limits kLimits{};
  std::set<std::pair<std::string, Digest>> out;
  auto add = [&](const trust::Targets& body) {
    for (const auto& [path, meta] : body.targets)
      if (meta.hashes.sha256) out.emplace(path, *meta.hashes.sha256);
  };
  add(state.targets);
  for (const auto& [product, body] : state.products) add(body);
  for (const auto& [role, meta] : state.snapshot.meta) {
    for (std::uint64_t back = 1; back < kKeptVersions && back < meta.version; ++back) {
      auto bytes = read_file(layout.metadata(meta.version - back, role), kLimits.targets_bytes);
      if (!bytes) continue;
      if (auto older = trust::parse_targets(*bytes, role, kLimits)) add(older->body);
    }
  }
  for (const auto& [path, proposal] : pending_proposals(layout))
    for (const auto& role : proposal.roles)
      if (auto body = trust::parse_targets(role.file(), role.role, kLimits)) add(body->body);
  return out;
}

}  // namespace

std::optional<MetadataName> parse_metadata_name(const std::string& name) {
  constexpr std::string_view kSuffix = ".json";
  auto dot = name.find('.');
  if (dot == std::string::npos || !name.ends_with(kSuffix) || name.size() <= dot + kSuffix.size())
    return std::nullopt;
  MetadataName out;
  auto [end, error] = std::from_chars(name.data(), name.data() + dot, out.version);
  if (error != std::errc() || end != name.data() + dot) return std::nullopt;
  out.role = name.substr(dot + 1, name.size() - dot - 1 - kSuffix.size());
  return out;
}

bool is_temporary_name(const std::string& name) {
  constexpr std::string_view kMark = ".tmp.";
  auto mark = name.rfind(kMark);
  if (mark == std::string::npos || mark + kMark.size() == name.size()) return false;
  return std::all_of(name.begin() + static_cast<std::ptrdiff_t>(mark + kMark.size()), name.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

std::set<fs::path> kept_target_files(const Layout& layout, const State& state) {
  std::set<fs::path> out;
  for (const auto& [path, hash] : kept_targets(layout, state))
    if (auto relative = RelativePath::parse(path)) out.insert(layout.target(*relative, hash));
  return out;
}

Result<void> remove_unfinished(const Layout& layout, const State& state) {
  auto temporary = [](const fs::path& path) { return is_temporary_name(path.filename()); };
  std::error_code ignored;  // in the way of nothing; the next delta fails if it cannot be removed
  fs::remove_all(layout.scratch(), ignored);
  SHOAL_TRY(sweep(layout.targets(), temporary));
  SHOAL_TRY(sweep(layout.bundles(), [](const fs::path& path) {
    return !Digest::from_hex(path.filename().native());
  }));
  return sweep(layout.metadata(), [&](const fs::path& path) {
    if (temporary(path)) return true;
    auto name = parse_metadata_name(path.filename());
    if (!name || name->role == "root") return false;
    auto in_force = version_in_force(state, name->role);
    return !in_force || name->version > *in_force;
  });
}

Result<std::size_t> remove_applied(const Layout& layout, const State& state) {
  std::size_t removed = 0;
  for (const auto& [path, proposal] : pending_proposals(layout)) {
    bool over = std::ranges::any_of(proposal.roles, [&](const auto& role) {
      auto body = trust::parse_targets(role.file(), role.role, trust::Limits{});
      auto in_force = version_in_force(state, role.role);
      return body && in_force && body->body.version <= *in_force;
    });
    std::error_code error;
    if (over && fs::remove(path, error)) ++removed;
    if (error) return fail(system_error(error.value(), "remove", path.native()));
  }
  return removed;
}

Result<void> remove_superseded(const Layout& layout, const State& state) {
  SHOAL_TRY(sweep(layout.metadata(), [&](const fs::path& path) {
    auto name = parse_metadata_name(path.filename());
    if (!name || name->role == "root") return false;
    auto in_force = version_in_force(state, name->role);
    return in_force && name->version + kKeptVersions <= *in_force;
  }));
  auto wanted = kept_target_files(layout, state);
  return sweep(layout.targets(), [&](const fs::path& path) { return !wanted.contains(path); });
}

Result<void> remove_unreferenced_bundles(const Layout& layout, const State& state) {
  std::set<fs::path> wanted;
  for (const auto& [path, hash] : kept_targets(layout, state)) {
    if (!path.ends_with(".index")) continue;
    SHOAL_ASSIGN(auto relative, RelativePath::parse(path));
    SHOAL_ASSIGN(auto bytes, read_file(layout.target(relative, hash), content::kMaxEdgeIndexBytes));
    SHOAL_ASSIGN(auto index, content::parse_edge_index(bytes));
    for (const auto& bundle : index.bundles)
      wanted.insert(layout.root() / content::bundle_path(bundle));
  }
  return sweep(layout.bundles(), [&](const fs::path& path) { return !wanted.contains(path); });
}

}  // namespace shoal::publish
