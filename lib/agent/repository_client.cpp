// Every file read here is a signed target; its size and hash were checked by the updater before it
// is parsed.
#include "agent/repository_client.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace shoal::agent {
namespace {

// Products listed by one repository; a limit on requests per refresh.
constexpr std::size_t kMaxProducts = 10'000;

Result<Bytes> read_target(trust::Updater& updater, const std::string& path) {
  SHOAL_ASSIGN(auto info, updater.find_target(path));
  return updater.download_target(info);
}

Result<std::string> resolve_version(const ReleaseWanted& wanted, const content::ChannelList& list) {
  if (wanted.version) {
    if (std::find(list.versions.begin(), list.versions.end(), *wanted.version) !=
        list.versions.end())
      return *wanted.version;
    return fail(ErrorKind::not_found,
                fmt::format("product '{}' has no version '{}'", wanted.product, *wanted.version),
                fmt::format("Choose one of: {}.", fmt::join(list.versions, ", ")));
  }
  std::string channel = wanted.channel.value_or("stable");
  if (auto found = list.channels.find(channel); found != list.channels.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, version] : list.channels) names.push_back(name);
  return fail(ErrorKind::not_found,
              fmt::format("product '{}' has no channel '{}'", wanted.product, channel),
              fmt::format("Choose one of: {}.", fmt::join(names, ", ")));
}

Result<LoadedComponent> read_component(trust::Updater& updater,
                                       const content::Component& component) {
  Bytes torrent;
  Bytes index;
  Bytes recipes;
  if (component.content.piece_count() > 0) {
    SHOAL_ASSIGN(torrent, read_target(updater, component.content.torrent_target));
    SHOAL_ASSIGN(index, read_target(updater, component.content.index_target));
  }
  if (!component.content.recipes_target.empty()) {
    SHOAL_ASSIGN(recipes, read_target(updater, component.content.recipes_target));
  }
  return load_component(component, std::move(torrent), std::move(index), std::move(recipes));
}

}  // namespace

struct RepositoryClient::Cycle {
  std::unique_lock<std::mutex> turn;
  std::unique_ptr<trust::Fetcher> fetcher;
  std::unique_ptr<trust::Updater> updater;
  content::RepositoryInfo info;
};

RepositoryClient::RepositoryClient(const Context& context, store::RepositoryRow row)
    : context_(context), row_(std::move(row)) {}

std::filesystem::path RepositoryClient::metadata_dir() const {
  return context_.state_dir / "repositories" / std::to_string(row_.id) / "metadata";
}

Result<void> RepositoryClient::trust_root(ByteView root_json) {
  return trust::trust_initial_root(metadata_dir(), root_json);
}

void RepositoryClient::forget() {
  std::error_code ignored;
  std::filesystem::remove_all(metadata_dir().parent_path(), ignored);
}

Result<RepositoryClient::Cycle> RepositoryClient::begin() {
  Cycle cycle;
  cycle.turn = std::unique_lock(cycle_);
  SHOAL_ASSIGN(cycle.fetcher, context_.make_fetcher({row_.url}));
  cycle.updater = std::make_unique<trust::Updater>(metadata_dir(), "metadata/", "targets/",
                                                   *cycle.fetcher, context_.clock.now());
  SHOAL_TRY(cycle.updater->refresh());
  SHOAL_ASSIGN(auto bytes, read_target(*cycle.updater, content::kRepositoryTarget));
  SHOAL_ASSIGN(cycle.info, content::parse_repository_info(bytes));
  return cycle;
}

Result<RepositoryContents> RepositoryClient::contents() {
  SHOAL_ASSIGN(auto cycle, begin());
  RepositoryContents contents{cycle.info, {}};
  for (const auto& product : cycle.updater->delegated_roles()) {
    if (contents.products.size() == kMaxProducts) break;
    auto bytes = read_target(*cycle.updater, content::channels_target(product));
    if (!bytes) {
      // One product whose role has expired must not hide the others.
      context_.log.warning("agent", "{}: product {}: {}", row_.url, product,
                           bytes.error().describe());
      continue;
    }
    SHOAL_ASSIGN(auto channels, content::parse_channels(*bytes));
    contents.products.emplace_back(product, std::move(channels));
  }
  return contents;
}

Result<LoadedRelease> RepositoryClient::load(const ReleaseWanted& wanted) {
  SHOAL_ASSIGN(auto cycle, begin());
  auto& updater = *cycle.updater;
  auto channel_bytes = read_target(updater, content::channels_target(wanted.product));
  if (!channel_bytes && channel_bytes.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found,
                fmt::format("{} has no product '{}'", row_.url, wanted.product),
                "'shoal products' shows what there is.");
  if (!channel_bytes) return fail(channel_bytes.error());
  SHOAL_ASSIGN(auto channels, content::parse_channels(*channel_bytes));
  LoadedRelease loaded;
  SHOAL_ASSIGN(loaded.version, resolve_version(wanted, channels));
  loaded.product = wanted.product;
  SHOAL_ASSIGN(loaded.release_json,
               read_target(updater, wanted.product + "/" + loaded.version + "/release.json"));
  SHOAL_ASSIGN(auto release, content::parse_release(loaded.release_json));
  if (release.product != wanted.product || release.version != loaded.version)
    return fail(ErrorKind::metadata_invalid,
                fmt::format("release.json of {} {} is of {} {}", wanted.product, loaded.version,
                            release.product, release.version));
  loaded.allow_outside_links = release.allow_outside_links;
  loaded.launch = release.launch;
  for (const auto& name : wanted.components)
    if (std::none_of(release.components.begin(), release.components.end(),
                     [&](const auto& component) { return component.name == name; }))
      return fail(ErrorKind::not_found, fmt::format("product '{}' {} has no component '{}'",
                                                    wanted.product, loaded.version, name));
  for (const auto& component : release.components) {
    bool selected = wanted.components.empty() ||
                    std::find(wanted.components.begin(), wanted.components.end(), component.name) !=
                        wanted.components.end();
    if (!selected) continue;
    SHOAL_ASSIGN(auto read, read_component(updater, component));
    loaded.components.push_back(std::move(read));
  }
  loaded.mirrors = cycle.info.mirrors;
  if (loaded.mirrors.empty()) loaded.mirrors.push_back(row_.url);
  loaded.trackers = release.trackers;
  for (const auto& tracker : cycle.info.trackers)
    if (std::find(loaded.trackers.begin(), loaded.trackers.end(), tracker) == loaded.trackers.end())
      loaded.trackers.push_back(tracker);
  loaded.dht_allowed = cycle.info.dht;
  loaded.policy = to_transfer(cycle.info.policy);
  return loaded;
}

}  // namespace shoal::agent
