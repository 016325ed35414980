// Publishing one version: builds the artifact against everything the product already has, joins it
// with components of the same version, and commits targets, channels and metadata at once.
#include <fmt/core.h>

#include <algorithm>

#include "publish/cleanup.hpp"
#include "publish/repository.hpp"
#include "trust/delegations.hpp"

namespace shoal::publish {

namespace {

constexpr const char* kDefaultChannel = "stable";

Result<void> check_request(const ReleaseRequest& request) {
  SHOAL_TRY(check_product_name(request.build.product));
  SHOAL_TRY(check_name("version", request.build.version));
  SHOAL_TRY(check_name("component", request.build.component));
  std::error_code ignored;
  if (!std::filesystem::is_directory(request.tree, ignored))
    return fail(ErrorKind::invalid_request,
                fmt::format("{} is not a folder", request.tree.native()),
                "Give the folder to publish.");
  for (const auto& channel : request.channels) SHOAL_TRY(check_name("channel", channel));
  for (const auto& url : request.build.trackers) SHOAL_TRY(content::check_tracker_url(url));
  return {};
}

bool has_component(const content::Release& release, const std::string& name) {
  return std::ranges::any_of(release.components,
                             [&](const auto& component) { return component.name == name; });
}

// Errors: not_found for a pattern that matches no file (a typing error would be found too late).
Result<void> classify(content::Component& component, const std::vector<std::string>& patterns,
                      content::FileClass file_class) {
  for (const auto& pattern : patterns) {
    bool matched = false;
    for (auto& file : component.files) {
      if (!trust::path_matches(pattern, file.path.text())) continue;
      file.file_class = file_class;
      matched = true;
    }
    if (!matched)
      return fail(ErrorKind::not_found, fmt::format("no file of the tree matches '{}'", pattern),
                  "Correct the pattern: '*' does not cross '/'.");
  }
  return {};
}

// What clients see of a component; the edge index may be laid out differently.
bool is_same_component(const content::Release& there, const content::Release& built) {
  content::Release only = there;
  std::erase_if(only.components, [&](const auto& component) {
    return component.name != built.components.front().name;
  });
  for (auto& component : only.components) component.deltas.clear();
  content::Release other = built;
  other.launch = there.launch;  // of the version, not of the component
  return content::format_release(only) == content::format_release(other);
}

// The version with its new component; `built` holds just that one.
Result<content::Release> join(const content::Release& there, const content::Release& built) {
  content::Release joined = there;
  joined.components.push_back(built.components.front());
  for (const auto& platform : built.platforms)
    if (std::ranges::find(joined.platforms, platform) == joined.platforms.end())
      joined.platforms.push_back(platform);
  joined.allow_outside_links = joined.allow_outside_links || built.allow_outside_links;
  for (const auto& tracker : built.trackers)
    if (std::ranges::find(joined.trackers, tracker) == joined.trackers.end())
      joined.trackers.push_back(tracker);
  if (joined.launch.executable.empty()) joined.launch = built.launch;
  return joined;
}

}  // namespace

Result<std::vector<EarlierArtifact>> Repository::earlier_artifacts(
    const std::string& product, const std::string& component_name) const {
  std::vector<EarlierArtifact> same, other;
  SHOAL_ASSIGN(auto list, channels_of(product));
  for (const auto& version : list.versions) {  // the builder takes the last one as the latest
    SHOAL_ASSIGN(auto release, read_release(layout_, state_, product, version));
    for (const auto& component : release.components) {
      if (component.content.image_size == 0) continue;
      SHOAL_ASSIGN(auto files, read_artifact(layout_, state_, component.content));
      auto& artifacts = component.name == component_name ? same : other;
      artifacts.push_back({std::move(files.torrent.piece_hashes), std::move(files.index)});
    }
  }
  std::ranges::move(same, std::back_inserter(other));
  return other;
}

// Asks for the passphrase, or refuses, before the long work and not after it.
Result<void> Repository::check_signers(const ReleaseRequest& request, KeyStore& keys) {
  const auto& delegations = state_.targets.delegations;
  auto delegation = std::ranges::find_if(
      delegations, [&](const auto& entry) { return entry.role == request.build.product; });
  if (delegation == delegations.end()) {
    SHOAL_TRY(keys.load(KeyRole::products));
    SHOAL_TRY(keys.signers(state_.root.targets));
    auto enough = keys.check_enough(state_.root.targets, "targets");
    if (!enough && !request.may_propose) return enough;
    if (!enough) return check_none_waits({"targets"});
  } else {
    SHOAL_TRY(keys.signers(delegation->keys));
    auto enough = keys.check_enough(delegation->keys, request.build.product);
    if (!enough && !request.may_propose) {
      enough.error().remedy += " Or leave it to others to sign, with --propose FILE.";
      return enough;
    }
    if (!enough) return check_none_waits({request.build.product});
  }
  SHOAL_TRY(keys.enough_signers(state_.root.snapshot, "snapshot"));
  SHOAL_TRY(keys.enough_signers(state_.root.timestamp, "timestamp"));
  return {};
}

Result<bool> Repository::complete(const ReleaseRequest& request, const BuildOptions& options,
                                  const content::ChannelList& list, WorkerPool& pool,
                                  BuiltRelease& built, ReleaseReport& report) const {
  const std::string& version = options.version;
  std::optional<content::Release> there;
  if (std::ranges::find(list.versions, version) != list.versions.end()) {
    SHOAL_ASSIGN(there, read_release(layout_, state_, options.product, version));
    if (has_component(*there, options.component)) {
      if (is_same_component(*there, built.release)) return true;
      SHOAL_TRY(remove_unreferenced_bundles(layout_, state_));
      return fail(ErrorKind::conflict,
                  fmt::format("version '{}' of '{}' is published already, with other content or "
                              "other options",
                              version, options.product),
                  "Publish the tree under another version.");
    }
  }
  SHOAL_ASSIGN(report.updates, add_deltas(layout_, state_, list, request.deltas, options,
                                          request.stop, pool, built));
  if (there) {
    SHOAL_ASSIGN(built.release, join(*there, built.release));
  }
  return false;
}

Result<ReleaseReport> Repository::release(const ReleaseRequest& request, KeyStore& keys,
                                          WorkerPool& pool, const BuildProgress& progress) {
  SHOAL_TRY(check_request(request));
  const std::string& product = request.build.product;
  const std::string& version = request.build.version;
  SHOAL_TRY(check_signers(request, keys));

  SHOAL_ASSIGN(auto list, channels_of(product));
  bool first = list.versions.empty();
  SHOAL_TRY(delta_versions(list, version, request.deltas.from));
  BuildOptions options = request.build;
  if (options.trackers.empty()) {
    SHOAL_ASSIGN(auto info, read_repository_info(layout_, state_));
    options.trackers = info.trackers;
  }
  SHOAL_ASSIGN(options.earlier, earlier_artifacts(product, options.component));
  SHOAL_ASSIGN(auto built,
               build_release(layout_.root(), request.tree, options, pool, progress, request.stop));

  built.release.launch = request.launch;
  auto& component = built.release.components.front();
  SHOAL_TRY(classify(component, request.config_patterns, content::FileClass::config));
  SHOAL_TRY(classify(component, request.create_once_patterns, content::FileClass::create_once));

  ReleaseReport report;
  SHOAL_ASSIGN(report.nothing_to_do, complete(request, options, list, pool, built, report));
  report.statistics = built.statistics;
  report.warnings = std::move(built.warnings);
  Edit edit;
  SHOAL_TRY(edit_product(edit, product, keys));
  if (std::ranges::find(list.versions, version) == list.versions.end())
    list.versions.push_back(version);
  if (!report.nothing_to_do) {
    Bytes release_json = to_bytes(content::format_release(built.release));
    // Again, with what was joined: two components must not claim one path.
    SHOAL_TRY(content::parse_release(release_json));
    for (auto& file : built.targets) {
      if (file.path == release_target(product, version)) file.bytes = release_json;
      put_target(edit, product, std::move(file));
    }
  }
  report.channels = request.channels;
  if (report.channels.empty() && first) report.channels = {kDefaultChannel};
  std::erase_if(report.channels, [&](const auto& name) {
    auto entry = list.channels.find(name);
    return entry != list.channels.end() && entry->second == version;
  });
  for (const auto& channel : report.channels) list.channels[channel] = version;
  report.nothing_to_do = report.nothing_to_do && report.channels.empty();
  if (!report.nothing_to_do) {
    put_target(edit, product,
               {content::channels_target(product), to_bytes(content::format_channels(list))});
    SHOAL_ASSIGN(report.proposal, commit(std::move(edit), keys, request.may_propose));
  }
  clean_up(true, report.warnings);
  return report;
}

}  // namespace shoal::publish
