// A client's walk (Updater over the files), then what a client of any release would read: each
// target's content, each bundle, each piece. What nothing names is checked by its own name.
#include "publish/check.hpp"

#include <fmt/core.h>
#include <stdlib.h>

#include <cerrno>
#include <set>

#include "base/file.hpp"
#include "content/recipe.hpp"
#include "publish/check_bundles.hpp"
#include "publish/check_deltas.hpp"
#include "publish/check_metadata.hpp"
#include "publish/cleanup.hpp"
#include "publish/state.hpp"
#include "trust/updater.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

// A fresh client's metadata folder, removed at the end.
class ScratchFolder {
 public:
  static Result<ScratchFolder> make() {
    std::string pattern = fs::temp_directory_path() / "shoal-check-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr)
      return fail(system_error(errno, "create a temporary folder", pattern));
    return ScratchFolder(pattern);
  }
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit ScratchFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

class Check {
 public:
  // `apply_deltas_on`: null where they are not to be decoded.
  Check(const Layout& layout, UtcSeconds now, WorkerPool* apply_deltas_on, CheckReport& report)
      : layout_(layout), now_(now), apply_deltas_on_(apply_deltas_on), report_(report) {}

  Result<void> walk_as_client(const State* state);
  void check_root_copy(const State& state);
  void check_products(const State& state);
  void check_other_files(const State* state);
  void check_bundles(WorkerPool& pool, const CheckProgress& progress) {
    bundles_.run(layout_, pool, progress, report_);
  }

 private:
  void found(std::string path, std::string problem) {
    report_.findings.push_back({std::move(path), std::move(problem)});
  }
  Result<void> check_release(const State& state, const std::string& product,
                             const std::string& version);
  Result<void> check_component(const State& state, const content::Component& component);
  void check_deltas(const State& state, const std::string& product, const std::string& version,
                    const content::Component& component);
  void check_targets(trust::Updater& client, const trust::Targets& role);
  void check_target_file(const fs::path& path, bool kept);

  const Layout& layout_;
  UtcSeconds now_;
  WorkerPool* apply_deltas_on_;
  CheckReport& report_;
  BundleCheck bundles_;
};

Result<void> Check::walk_as_client(const State* state) {
  constexpr trust::Limits kLimits{};
  SHOAL_ASSIGN(auto scratch, ScratchFolder::make());
  // From the first root, so that the whole chain is followed.
  auto first = read_file(layout_.metadata(1, "root"), kLimits.root_bytes);
  Result<void> trusted = first ? trust::trust_initial_root(scratch.path() / "metadata", *first)
                               : Result<void>(std::unexpected(first.error()));
  if (!trusted) {
    found("metadata/1.root.json", trusted.error().message);
    return {};
  }
  DirectoryFetcher fetcher(layout_.root());
  trust::Updater client(scratch.path() / "metadata", "metadata/", "targets/", fetcher, now_);
  if (auto refreshed = client.refresh(); !refreshed) {
    found("metadata", refreshed.error().message);
    return {};
  }
  if (!state) return {};
  check_targets(client, state->targets);
  for (const auto& [product, role] : state->products) check_targets(client, role);
  return {};
}

void Check::check_targets(trust::Updater& client, const trust::Targets& role) {
  for (const auto& [path, meta] : role.targets) {
    ++report_.targets;
    auto target = client.find_target(path);
    if (!target) {
      found(path, target.error().message);
    } else if (auto bytes = client.download_target(*target); !bytes) {
      found(path, bytes.error().message);
    }
  }
}

void Check::check_root_copy(const State& state) {
  constexpr trust::Limits kLimits{};
  auto copy = read_file(layout_.root_copy(), kLimits.root_bytes);
  auto newest = read_file(layout_.metadata(state.root.version, "root"), kLimits.root_bytes);
  if (!copy)
    found("root.json", copy.error().message);
  else if (newest && *copy != *newest)
    found("root.json", fmt::format("it is not metadata/{}.root.json", state.root.version));
}

Result<void> Check::check_component(const State& state, const content::Component& component) {
  const auto& artifact = component.content;
  if (artifact.image_size == 0) return {};
  auto differs = [&](const std::string& target) {
    return fail(ErrorKind::metadata_invalid,
                fmt::format("{} does not belong to its release.json", target));
  };
  SHOAL_ASSIGN(auto files, read_artifact(layout_, state, artifact));
  if (files.torrent.info_hash != artifact.info_hash ||
      files.torrent.image_size != artifact.image_size ||
      files.torrent.piece_size != artifact.piece_size)
    return differs(artifact.torrent_target);
  if (files.index.piece_size != artifact.piece_size ||
      files.index.pieces.size() != artifact.piece_count())
    return differs(artifact.index_target);
  SHOAL_ASSIGN(auto recipe_bytes, read_target(layout_, state, artifact.recipes_target));
  SHOAL_ASSIGN(auto recipes, content::parse_recipes(recipe_bytes));
  if (recipes.files.size() != component.files.size()) return differs(artifact.recipes_target);
  bundles_.add(artifact.torrent_target, files.index, files.torrent.piece_hashes);
  return {};
}

void Check::check_deltas(const State& state, const std::string& product, const std::string& version,
                         const content::Component& component) {
  const DeltaCheckContext context{layout_, state, product, apply_deltas_on_};
  for (const auto& delta : component.deltas) {
    ++report_.deltas;
    auto files = check_delta(context, component, delta);
    if (files)
      bundles_.add(delta.torrent_target, files->index, files->torrent.piece_hashes);
    else
      found(release_target(product, version),
            fmt::format("component '{}', delta from {}: {}", component.name, delta.from,
                        files.error().message));
  }
}

Result<void> Check::check_release(const State& state, const std::string& product,
                                  const std::string& version) {
  SHOAL_ASSIGN(auto release, read_release(layout_, state, product, version));
  if (release.product != product || release.version != version)
    return fail(ErrorKind::metadata_invalid,
                fmt::format("it describes {} {}", release.product, release.version));
  for (const auto& component : release.components) {
    if (auto checked = check_component(state, component); !checked)
      found(release_target(product, version),
            fmt::format("component '{}': {}", component.name, checked.error().message));
    check_deltas(state, product, version, component);
  }
  return {};
}

void Check::check_products(const State& state) {
  if (auto info = read_repository_info(layout_, state); !info)
    found(content::kRepositoryTarget, info.error().message);
  for (const auto& [product, role] : state.products) {
    auto list = read_channels(layout_, state, product);
    if (!list) {
      found(content::channels_target(product), list.error().message);
      continue;
    }
    for (const auto& version : list->versions)
      if (auto checked = check_release(state, product, version); !checked)
        found(release_target(product, version), checked.error().message);
  }
}

void Check::check_target_file(const fs::path& path, bool kept) {
  std::string shown = path.lexically_relative(layout_.root());
  std::string name = path.filename();
  auto digest = Digest::from_hex(std::string_view(name).substr(0, name.find('.')));
  auto bytes = read_file(path, trust::Limits{}.target_file_bytes);
  if (!digest || !bytes)
    report_.notes.push_back({shown, "it is not part of the repository"});
  else if (sha256(*bytes) != *digest)
    found(shown, "its bytes do not have the hash in its name");
  else if (!kept)
    report_.notes.push_back({shown, "nothing lists it; the next release removes it"});
}

void Check::check_other_files(const State* state) {
  std::set<fs::path> current, kept;
  auto add = [&](const trust::Targets& role) {
    for (const auto& [path, meta] : role.targets)
      if (auto relative = RelativePath::parse(path); relative && meta.hashes.sha256)
        current.insert(layout_.target(*relative, *meta.hashes.sha256));
  };
  if (state) {
    add(state->targets);
    for (const auto& [product, role] : state->products) add(role);
    kept = kept_target_files(layout_, *state);
  }
  auto each_file = [&](const fs::path& folder, auto visit) {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code ignored;
      if (!entry->is_directory(ignored)) visit(entry->path());
    }
    if (error) found(folder.filename(), error.message());
  };
  each_file(layout_.targets(), [&](const fs::path& path) {
    if (!current.contains(path)) check_target_file(path, kept.contains(path));
  });
  each_file(layout_.bundles(), [&](const fs::path& path) {
    auto digest = Digest::from_hex(path.filename().native());
    if (digest && bundles_.names(*digest)) return;
    std::string shown = path.lexically_relative(layout_.root());
    auto bytes = read_file(path, content::kMaxBundleBytes);
    if (digest && (!bytes || sha256(*bytes) != *digest))
      found(shown, "its bytes do not have its name's hash");
    else
      report_.notes.push_back({shown, "no edge index names it; the next release removes it"});
  });
}

}  // namespace

Result<CheckReport> check_repository(const std::filesystem::path& root, UtcSeconds now,
                                     WorkerPool& pool, const CheckProgress& progress,
                                     bool apply_deltas) {
  Layout layout(root);
  std::error_code ignored;
  if (!fs::is_directory(layout.metadata(), ignored))
    return fail(ErrorKind::not_found,
                fmt::format("{} is not a repository: it has no folder 'metadata'", root.native()));
  CheckReport report;
  Check check(layout, now, apply_deltas ? &pool : nullptr, report);
  auto state = load_state(layout);
  if (!state) report.findings.push_back({"metadata", state.error().message});
  SHOAL_TRY(check.walk_as_client(state ? &*state : nullptr));
  check_metadata_files(layout, state ? &*state : nullptr, report);
  if (state) {
    check.check_root_copy(*state);
    check.check_products(*state);
  }
  check.check_bundles(pool, progress);
  check.check_other_files(state ? &*state : nullptr);
  return report;
}

}  // namespace shoal::publish
