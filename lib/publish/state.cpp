// The pure verifier over files: root.json and the roots after it, timestamp, snapshot, targets, and
// each delegated role. "Now" is the epoch, so nothing has expired.
#include "publish/state.hpp"

#include <fmt/core.h>

#include "base/file.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

Result<trust::TrustedMetadata> load_roots(const Layout& layout) {
  SHOAL_ASSIGN(auto first, read_file(layout.root_copy(), kLimits.root_bytes));
  auto trusted = trust::TrustedMetadata::begin(first, UtcSeconds{}, kLimits);
  if (!trusted)
    return fail(trusted.error().kind, fmt::format("root.json: {}", trusted.error().message),
                "Copy the newest metadata/N.root.json over it.");
  while (true) {
    auto name = metadata_name(trusted->root().version + 1, "root");
    auto next = read_file(layout.metadata() / name, kLimits.root_bytes);
    if (!next && next.error().kind == ErrorKind::not_found) return trusted;
    if (!next) return std::unexpected(std::move(next.error()));
    if (auto followed = trusted->update_root(*next); !followed)
      return fail(followed.error().kind,
                  fmt::format("metadata/{}: {}", name, followed.error().message),
                  "Put it back from a copy.");
  }
}

// What the newest root makes of the rest. The errors speak to clients.
Result<State> load_below(trust::TrustedMetadata trusted, const Layout& layout) {
  SHOAL_ASSIGN(auto timestamp, read_file(layout.timestamp(), kLimits.timestamp_bytes));
  SHOAL_TRY(trusted.update_timestamp(timestamp));
  SHOAL_ASSIGN(auto snapshot,
               read_file(layout.metadata(trusted.timestamp()->snapshot.version, "snapshot"),
                         kLimits.snapshot_bytes));
  SHOAL_TRY(trusted.update_snapshot(snapshot));

  auto load = [&](const trust::DelegationSearch::Step& step) -> Result<trust::Targets> {
    auto meta = trusted.snapshot()->meta.find(step.role);
    if (meta == trusted.snapshot()->meta.end())
      return fail(ErrorKind::metadata_invalid,
                  fmt::format("the snapshot does not list the role '{}'", step.role));
    SHOAL_ASSIGN(auto bytes, read_file(layout.metadata(meta->second.version, step.role),
                                       kLimits.targets_bytes));
    SHOAL_TRY(trusted.update_targets(bytes, step));
    return *trusted.targets(step.chain());
  };
  State state;
  SHOAL_ASSIGN(state.targets, load({"targets", ""}));
  for (const auto& delegation : state.targets.delegations) {
    SHOAL_ASSIGN(state.products[delegation.role], load({delegation.role, "targets"}));
  }
  state.root = trusted.root();
  state.timestamp = *trusted.timestamp();
  state.snapshot = *trusted.snapshot();
  return state;
}

}  // namespace

const trust::TargetMeta* State::find(const std::string& path) const {
  const trust::Targets* role = &targets;
  if (auto slash = path.find('/'); slash != std::string::npos) {
    auto product = products.find(path.substr(0, slash));
    if (product == products.end()) return nullptr;
    role = &product->second;
  }
  auto found = role->targets.find(path);
  return found == role->targets.end() ? nullptr : &found->second;
}

Result<void> check_is_repository(const Layout& layout) {
  std::error_code ignored;
  const bool root = std::filesystem::exists(layout.root_copy(), ignored);
  const bool timestamp = std::filesystem::exists(layout.timestamp(), ignored);
  if (root && timestamp) return {};
  const auto& name = layout.root().native();
  if (root)
    return fail(ErrorKind::not_found, fmt::format("{} has lost its metadata/timestamp.json", name),
                "Put the newest one back from a copy, or as the web server or the CDN has it. If "
                "'init' was interrupted, run it again, with the same keys.");
  if (timestamp)
    return fail(ErrorKind::not_found, fmt::format("{} has lost its root.json", name),
                "Copy the newest metadata/N.root.json to root.json.");
  return fail(ErrorKind::not_found,
              fmt::format("{} is not a repository: it has no root.json and no "
                          "metadata/timestamp.json",
                          name),
              "Make one with 'shoal-publish init'.");
}

Result<State> load_state(const Layout& layout) {
  SHOAL_TRY(check_is_repository(layout));
  SHOAL_ASSIGN(auto trusted, load_roots(layout));
  auto state = load_below(std::move(trusted), layout);
  if (state) return state;
  // Neither what cannot be read for the moment is damaged, nor what a newer program wrote.
  const auto kind = state.error().kind;
  if (kind != ErrorKind::io_error && kind != ErrorKind::not_allowed &&
      kind != ErrorKind::unsupported_version)
    state.error().remedy = kPutBack;
  return state;
}

Result<Bytes> read_target(const Layout& layout, const State& state, const std::string& path) {
  SHOAL_ASSIGN(auto relative, RelativePath::parse(path));
  const auto* meta = state.find(path);
  if (!meta || !meta->hashes.sha256)
    return fail(ErrorKind::not_found, fmt::format("the repository has no target {}", path));
  SHOAL_ASSIGN(auto bytes, read_file(layout.target(relative, *meta->hashes.sha256), meta->length));
  SHOAL_TRY(trust::check_file(bytes, meta->length, meta->hashes, "target " + path));
  return bytes;
}

Result<content::RepositoryInfo> read_repository_info(const Layout& layout, const State& state) {
  SHOAL_ASSIGN(auto bytes, read_target(layout, state, content::kRepositoryTarget));
  return content::parse_repository_info(bytes);
}

Result<content::ChannelList> read_channels(const Layout& layout, const State& state,
                                           const std::string& product) {
  if (!state.products.contains(product))
    return fail(ErrorKind::not_found, fmt::format("the repository has no product '{}'", product),
                "'shoal-publish list' shows what is there.");
  SHOAL_ASSIGN(auto bytes, read_target(layout, state, content::channels_target(product)));
  return content::parse_channels(bytes);
}

std::string release_target(const std::string& product, const std::string& version) {
  return fmt::format("{}/{}/release.json", product, version);
}

Result<content::Release> read_release(const Layout& layout, const State& state,
                                      const std::string& product, const std::string& version) {
  SHOAL_ASSIGN(auto bytes, read_target(layout, state, release_target(product, version)));
  return content::parse_release(bytes);
}

namespace {

Result<ArtifactFiles> read_files(const Layout& layout, const State& state,
                                 const std::string& torrent_target,
                                 const std::string& index_target) {
  SHOAL_ASSIGN(auto torrent_bytes, read_target(layout, state, torrent_target));
  SHOAL_ASSIGN(auto torrent, content::parse_torrent(torrent_bytes));
  SHOAL_ASSIGN(auto index_bytes, read_target(layout, state, index_target));
  SHOAL_ASSIGN(auto index, content::parse_edge_index(index_bytes));
  return ArtifactFiles{std::move(torrent), std::move(index)};
}

}  // namespace

Result<ArtifactFiles> read_artifact(const Layout& layout, const State& state,
                                    const content::ContentArtifact& artifact) {
  return read_files(layout, state, artifact.torrent_target, artifact.index_target);
}

Result<ArtifactFiles> read_artifact(const Layout& layout, const State& state,
                                    const content::DeltaArtifact& artifact) {
  return read_files(layout, state, artifact.torrent_target, artifact.index_target);
}

}  // namespace shoal::publish
