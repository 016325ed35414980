// Every file read here is a signed target; its size and hash were checked by the updater before it
// is parsed. Those that every cycle needs are kept, so that a cycle that finds nothing new is one
// request, for the timestamp (but for one a day, which looks at every mirror for a newer root and
// timestamp).
#include "agent/repository_client.hpp"

#include <fmt/ranges.h>

#include <algorithm>

namespace shoal::agent {
namespace {

// Products listed by one repository; a limit on requests per refresh.
constexpr std::size_t kMaxProducts = 10'000;
// How long a mirror that stood in is asked before the administrator's own address.
constexpr std::chrono::hours kAskedFirst{1};

// Nothing that its parser would refuse for its size is fetched: a publisher's key signs any size,
// and one product must not keep the others waiting.
Result<void> check_size(const trust::TargetInfo& info, std::uint64_t max_bytes) {
  if (info.length <= max_bytes) return {};
  return fail(ErrorKind::too_large, fmt::format("target {} has {} bytes, more than the {} allowed",
                                                info.path, info.length, max_bytes));
}

Result<Bytes> read_target(trust::Updater& updater, const std::string& path,
                          std::uint64_t max_bytes) {
  SHOAL_ASSIGN(auto info, updater.find_target(path));
  SHOAL_TRY(check_size(info, max_bytes));
  return updater.download_target(info);
}

Result<Bytes> read_target(trust::Updater& updater, const TargetCache& kept,
                          const trust::TargetInfo& info, std::uint64_t max_bytes) {
  SHOAL_TRY(check_size(info, max_bytes));
  if (auto bytes = kept.find(info.path, info.sha256)) return std::move(*bytes);
  SHOAL_ASSIGN(auto bytes, updater.download_target(info));
  kept.keep(info.path, bytes);
  return bytes;
}

struct Channels {
  content::ChannelList list;
  UtcSeconds good_until{};
};

Result<Channels> read_channels(trust::Updater& updater, const TargetCache& kept,
                               const std::string& product) {
  SHOAL_ASSIGN(auto info, updater.find_target(content::channels_target(product)));
  SHOAL_ASSIGN(auto bytes, read_target(updater, kept, info, content::kMaxChannelsJsonBytes));
  SHOAL_ASSIGN(auto list, content::parse_channels(bytes));
  return Channels{std::move(list), info.good_until};
}

// As the edge writes a mirror's address: without the slash at the end.
Result<content::RepositoryInfo> parse_info(ByteView bytes) {
  SHOAL_ASSIGN(auto info, content::parse_repository_info(bytes));
  for (auto& url : info.mirrors)
    while (url.ends_with('/')) url.pop_back();
  return info;
}

// Of the connection or of this process, not of the one file that was asked for.
bool concerns_all(ErrorKind kind) {
  return kind == ErrorKind::network || kind == ErrorKind::network_timeout ||
         kind == ErrorKind::cancelled;
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
  names.reserve(list.channels.size());
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
    SHOAL_ASSIGN(torrent,
                 read_target(updater, component.content.torrent_target, content::kMaxTorrentBytes));
    SHOAL_ASSIGN(index,
                 read_target(updater, component.content.index_target, content::kMaxEdgeIndexBytes));
  }
  if (!component.content.recipes_target.empty()) {
    SHOAL_ASSIGN(recipes,
                 read_target(updater, component.content.recipes_target, content::kMaxRecipesBytes));
  }
  return load_component(component, std::move(torrent), std::move(index), std::move(recipes));
}

Result<LoadedDelta> read_delta(trust::Updater& updater, const content::DeltaArtifact& delta) {
  SHOAL_ASSIGN(auto torrent, read_target(updater, delta.torrent_target, content::kMaxTorrentBytes));
  SHOAL_ASSIGN(auto index, read_target(updater, delta.index_target, content::kMaxEdgeIndexBytes));
  return load_delta(delta, std::move(torrent), index);
}

// What is wrong with a publisher's file is not for its reader to mend: the remedies that a
// publisher gets for the same mistakes, and those of limits, are replaced.
Error for_reader(Error error) {
  constexpr const char* kRemedy =
      "Only the publisher can mend this: tell them, and try again later.";
  bool of_a_path = error.kind == ErrorKind::path_invalid || error.kind == ErrorKind::path_collision;
  bool of_a_file = error.kind == ErrorKind::metadata_invalid || error.kind == ErrorKind::too_large;
  if (of_a_path || (of_a_file && error.remedy.empty())) error.remedy = kRemedy;
  return error;
}

}  // namespace

struct RepositoryClient::Cycle {
  std::unique_lock<std::mutex> turn;
  std::unique_ptr<trust::Fetcher> fetcher;
  std::unique_ptr<trust::Updater> updater;
  UtcSeconds now{};
  bool changed = true;  // or not known to be what `seen_` is of

  Result<content::RepositoryInfo> read_info(const TargetCache& kept) {
    SHOAL_ASSIGN(auto target, updater->find_target(content::kRepositoryTarget));
    SHOAL_ASSIGN(auto bytes, read_target(*updater, kept, target, content::kMaxRepositoryJsonBytes));
    return parse_info(bytes);
  }
};

RepositoryClient::RepositoryClient(const Context& context, store::RepositoryRow row)
    : context_(context),
      row_(std::move(row)),
      metadata_(metadata_dir()),
      targets_(folder() / "targets"),
      kept_(targets_) {}

std::filesystem::path RepositoryClient::folder() const {
  return context_.state_dir / "repositories" / std::to_string(row_.id);
}

std::filesystem::path RepositoryClient::metadata_dir() const { return folder() / "metadata"; }

// The address that the administrator gave, then the mirrors that the repository named last; before
// all of them, for an hour, the one that stood in: an address that swallows every packet costs ten
// seconds, and a mirror that replays what was good must not stay the first for long.
std::vector<std::string> RepositoryClient::mirrors() const {
  constexpr std::size_t kMost = trust::Limits{}.mirrors_asked;
  std::vector<std::string> urls{row_.url};
  auto bytes = kept_.last(content::kRepositoryTarget);
  if (!bytes) return urls;
  auto info = parse_info(*bytes);
  if (!info) return urls;
  for (const auto& url : info->mirrors)
    if (urls.size() < kMost && std::ranges::count(urls, url) == 0) urls.push_back(url);
  const auto now = context_.clock.now();
  if (now < stand_in_since_ || now - stand_in_since_ >= kAskedFirst) return urls;
  if (auto last = std::ranges::find(urls, stand_in_); last != urls.end())
    std::rotate(urls.begin(), last, last + 1);
  return urls;
}

Result<void> RepositoryClient::trust_root(ByteView root_json) {
  return trust::trust_initial_root(metadata_dir(), root_json);
}

void RepositoryClient::clear() {
  std::error_code ignored;
  std::filesystem::remove_all(folder(), ignored);
}

void RepositoryClient::forget() {
  metadata_.close();
  targets_.close();
  clear();
}

Result<RepositoryClient::Cycle> RepositoryClient::begin() {
  Cycle cycle;
  cycle.turn = std::unique_lock(cycle_);
  auto urls = mirrors();
  cycle.now = context_.clock.now();
  SHOAL_ASSIGN(cycle.fetcher, context_.make_fetcher(urls));
  cycle.updater = std::make_unique<trust::Updater>(metadata_, "metadata/", "targets/",
                                                   *cycle.fetcher, cycle.now);
  SHOAL_ASSIGN(cycle.changed, cycle.updater->refresh_if_changed(seen_));
  if (const auto mirror = cycle.updater->first_mirror(); mirror != 0) {
    stand_in_ = urls[mirror];
    stand_in_since_ = cycle.now;
  }
  return cycle;
}

Result<RepositoryContents> RepositoryClient::contents() {
  auto contents = read_contents();
  if (!contents) return fail(for_reader(std::move(contents.error())));
  return contents;
}

Result<LoadedRelease> RepositoryClient::load(const ReleaseWanted& wanted) {
  auto release = read_release(wanted);
  if (!release) return fail(for_reader(std::move(release.error())));
  return release;
}

bool RepositoryClient::still_good(const Cycle& cycle) const {
  return known_ && !cycle.changed && known_->metadata == seen_.kept &&
         cycle.now < known_->good_until;
}

Result<RepositoryContents> RepositoryClient::read_contents() {
  SHOAL_ASSIGN(auto cycle, begin());
  if (still_good(cycle)) return known_->contents;
  SHOAL_ASSIGN(auto read, read_anew(cycle));
  // A problem may be gone when the same is read again; what was read after a change has no digest.
  known_.reset();
  if (!cycle.changed && read.contents.problems.empty()) known_ = read;
  return std::move(read.contents);
}

Result<RepositoryClient::Known> RepositoryClient::read_anew(Cycle& cycle) {
  Known read{seen_.kept, seen_.good_until, {}};
  auto& contents = read.contents;
  SHOAL_ASSIGN(contents.info, cycle.read_info(kept_));
  SHOAL_ASSIGN(auto products, cycle.updater->delegated_roles());
  for (const auto& product : products) {
    if (contents.products.size() + contents.problems.size() == kMaxProducts) break;
    auto channels = read_channels(*cycle.updater, kept_, product);
    if (channels) {
      read.good_until = std::min(read.good_until, channels->good_until);
      contents.products.emplace_back(product, std::move(channels->list));
      continue;
    }
    if (concerns_all(channels.error().kind)) return fail(channels.error());
    // One product that is damaged, or whose role has expired, must not hide the others.
    context_.log.warning("agent", "{}: product {}: {}", row_.url, product,
                         channels.error().describe());
    contents.problems.push_back({product, for_reader(std::move(channels.error()))});
  }
  return read;
}

// A delta whose companions are damaged is done without, like one that does not exist.
Result<void> RepositoryClient::read_deltas(trust::Updater& updater, const std::string& installed,
                                           LoadedRelease& loaded) const {
  for (auto& component : loaded.components) {
    const auto& deltas = component.target.component->deltas;
    auto found = std::ranges::find(deltas, installed, &content::DeltaArtifact::from);
    if (found == deltas.end()) continue;
    auto delta = read_delta(updater, *found);
    if (delta) {
      component.target.delta = delta->artifact;
      component.delta = std::move(*delta);
      continue;
    }
    if (concerns_all(delta.error().kind)) return fail(delta.error());
    context_.log.warning("agent", "the delta from {} {} to {} is not used: {}", loaded.product,
                         installed, loaded.version, delta.error().describe());
  }
  return {};
}

Result<LoadedRelease> RepositoryClient::read_release(const ReleaseWanted& wanted) {
  SHOAL_ASSIGN(auto cycle, begin());
  auto& updater = *cycle.updater;
  SHOAL_ASSIGN(auto info, cycle.read_info(kept_));
  auto channels = read_channels(updater, kept_, wanted.product);
  if (!channels && channels.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found,
                fmt::format("{} has no product '{}'", row_.url, wanted.product),
                "'shoal products' shows what there is.");
  if (!channels) return fail(channels.error());
  LoadedRelease loaded;
  SHOAL_ASSIGN(loaded.version, resolve_version(wanted, channels->list));
  loaded.product = wanted.product;
  SHOAL_ASSIGN(loaded.release_json,
               read_target(updater, wanted.product + "/" + loaded.version + "/release.json",
                           content::kMaxReleaseJsonBytes));
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
  if (!wanted.installed.empty()) SHOAL_TRY(read_deltas(updater, wanted.installed, loaded));
  loaded.mirrors = info.mirrors;
  if (loaded.mirrors.empty()) loaded.mirrors.push_back(row_.url);
  loaded.trackers = release.trackers;
  for (const auto& tracker : info.trackers)
    if (std::find(loaded.trackers.begin(), loaded.trackers.end(), tracker) == loaded.trackers.end())
      loaded.trackers.push_back(tracker);
  loaded.dht_allowed = info.dht;
  loaded.policy = to_transfer(info.policy);
  return loaded;
}

}  // namespace shoal::agent
