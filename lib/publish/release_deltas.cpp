// The earlier version comes out of the bundles, and so does the new one, which was just put there:
// both are verified, and a delta between them holds for every client. The artifact is then bundled
// like any other, as an image of one file.
#include "publish/release_deltas.hpp"

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ranges>

#include "content/image.hpp"
#include "publish/bundled_tree.hpp"
#include "publish/piece_pass.hpp"
#include "publish/reuse_estimate.hpp"
#include "publish/tree_scan.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxShownVersions = 20;  // whose costs are told

// Removed when a publisher begins and when it ends with it.
class Scratch {
 public:
  static Result<Scratch> make(const Layout& layout) {
    Scratch scratch(layout.scratch());
    scratch.clear();
    SHOAL_TRY(make_directories(scratch.path_));
    return scratch;
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() { clear(); }
  const fs::path& path() const { return path_; }

 private:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  void clear() const {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

const content::Component* find_component(const content::Release& release, const std::string& name) {
  const auto found = std::ranges::find(release.components, name, &content::Component::name);
  return found == release.components.end() ? nullptr : &*found;
}

ByteView target_of(const BuiltRelease& built, const std::string& path) {
  const auto found = std::ranges::find(built.targets, path, &TargetFile::path);
  return found == built.targets.end() ? ByteView() : ByteView(found->bytes);
}

class DeltaMaker {
 public:
  DeltaMaker(const Layout& layout, const State& state, const DeltaRequest& request,
             const BuildOptions& options, const StopToken& stop, WorkerPool& pool,
             BuiltRelease& built, fs::path scratch)
      : layout_(layout),
        state_(state),
        request_(request),
        options_(options),
        stop_(stop),
        pool_(pool),
        built_(built),
        scratch_(std::move(scratch)) {}

  Result<void> open_new() {
    const auto& component = built_.release.components.front();
    const auto& content = component.content;
    ArtifactFiles files;
    SHOAL_ASSIGN(files.torrent, content::parse_torrent(target_of(built_, content.torrent_target)));
    SHOAL_ASSIGN(files.index, content::parse_edge_index(target_of(built_, content.index_target)));
    SHOAL_ASSIGN(auto recipes, content::parse_recipes(target_of(built_, content.recipes_target)));
    SHOAL_ASSIGN(new_, BundledTree::open(layout_, std::move(files), component, std::move(recipes),
                                         scratch_ / "new"));
    return {};
  }

  // None: the version has no such component, or one without a byte.
  Result<std::optional<UpdateCost>> cost_from(const std::string& version, bool make) {
    SHOAL_ASSIGN(const auto release, read_release(layout_, state_, options_.product, version));
    const auto* component = find_component(release, options_.component);
    if (component == nullptr || component->content.image_size == 0) return std::nullopt;
    SHOAL_ASSIGN(const auto recipe_bytes,
                 read_target(layout_, state_, component->content.recipes_target));
    SHOAL_ASSIGN(auto recipes, content::parse_recipes(recipe_bytes));
    UpdateCost cost;
    cost.from = version;
    cost.recipes_bytes =
        bytes_by_recipes(*component, recipes, new_->component(), new_->recipes(), new_->index());
    if (make) SHOAL_TRY(make_delta(*component, std::move(recipes), cost));
    return cost;
  }

 private:
  Result<void> make_delta(const content::Component& component, content::Recipes recipes,
                          UpdateCost& cost) {
    const fs::path folder = scratch_ / "old";
    SHOAL_ASSIGN(auto artifact, read_artifact(layout_, state_, component.content));
    SHOAL_ASSIGN(auto old_tree, BundledTree::open(layout_, std::move(artifact), component,
                                                  std::move(recipes), folder));
    DeltaBuildOptions building;
    building.memory_bytes = request_.memory_bytes;
    building.scratch_folder = scratch_;
    building.stop = stop_;
    building.progress = [&](std::uint64_t done, std::uint64_t total) {
      if (request_.progress) request_.progress(cost.from, done, total);
    };
    SHOAL_ASSIGN(const auto delta,
                 build_delta(old_tree->delta_side(), new_->delta_side(), building, pool_));
    cost.files = by_cost(delta.made.files, new_->component().files);
    SHOAL_ASSIGN(auto bundled, bundle(delta, cost.from));
    cost.delta_bytes = bundled.artifact.edge_bytes;
    cost.dropped = !delta_pays(*cost.delta_bytes, cost.recipes_bytes);
    if (!cost.dropped) {
      built_.release.components.front().deltas.push_back(std::move(bundled.artifact));
      std::ranges::move(bundled.targets, std::back_inserter(built_.targets));
      built_.statistics.new_bundle_bytes += bundled.new_bytes;
    }
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return {};
  }

  struct Bundled {
    content::DeltaArtifact artifact;
    std::vector<TargetFile> targets;
    std::uint64_t new_bytes = 0;
  };

  Result<Bundled> bundle(const BuiltDelta& delta, const std::string& from) {
    const fs::path folder = scratch_ / "artifact";
    SHOAL_TRY(make_directories(folder));
    const std::string name = folder / "delta";
    {
      UniqueFd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      if (!fd) return fail(system_error(errno, "create", name));
      SHOAL_TRY(write_artifact(delta, fd.get(), 0, name));
    }
    SHOAL_ASSIGN(const auto tree, BeneathDir::open(folder));
    SHOAL_ASSIGN(auto scanned, scan_tree(tree));
    content::Component image;
    image.files = std::move(scanned.files);
    image.content.piece_size = content::choose_piece_size(delta.size());
    image.content.image_size = content::lay_out(image.files, image.content.piece_size);
    PassInput input{tree, scanned.stamps};
    input.frame_size = std::min(content::kDefaultFrameSize, image.content.piece_size);
    input.zstd_level = options_.zstd_level;
    input.hybrid = options_.hybrid;
    input.stop = stop_;
    BundleWriter bundles(layout_.root(), image.content.piece_size, input.frame_size, {});
    content::Recipes unused;
    SHOAL_ASSIGN(auto hashes, run_piece_pass(input, image, unused, bundles, pool_, {}));
    SHOAL_ASSIGN(const auto index, bundles.finish());
    return describe(delta, from, image.content, std::move(hashes), index, bundles);
  }

  Result<Bundled> describe(const BuiltDelta& delta, const std::string& from,
                           const content::ContentArtifact& image, PieceHashes hashes,
                           const content::EdgeIndex& index, const BundleWriter& bundles) const {
    content::TorrentInput torrent;
    torrent.name = fmt::format("{}-{}-{}-from-{}.delta", options_.product, options_.version,
                               options_.component, from);
    torrent.image_size = image.image_size;
    torrent.piece_size = image.piece_size;
    torrent.piece_hashes = std::move(hashes.v2);
    torrent.v1_piece_hashes = std::move(hashes.v1);
    torrent.trackers = options_.trackers;
    Bytes torrent_file = content::make_torrent(torrent);
    SHOAL_ASSIGN(const auto parsed, content::parse_torrent(torrent_file));

    Bundled out;
    out.artifact.from = from;
    out.artifact.size = delta.size();
    out.artifact.piece_size = image.piece_size;
    out.artifact.info_hash = parsed.info_hash;
    // '@' is in no name of ours, so that no component's files can be called like this.
    const auto prefix =
        fmt::format("{}/{}/{}@{}", options_.product, options_.version, options_.component, from);
    out.artifact.torrent_target = prefix + ".torrent";
    out.artifact.index_target = prefix + ".index";
    out.artifact.edge_bytes = bundles.edge_bytes();
    out.new_bytes = bundles.new_bytes();
    out.targets.push_back({out.artifact.torrent_target, std::move(torrent_file)});
    out.targets.push_back({out.artifact.index_target, content::format_edge_index(index)});
    return out;
  }

  const Layout& layout_;
  const State& state_;
  const DeltaRequest& request_;
  const BuildOptions& options_;
  const StopToken& stop_;
  WorkerPool& pool_;
  BuiltRelease& built_;
  const fs::path scratch_;
  std::unique_ptr<BundledTree> new_;
};

Result<std::size_t> parse_last(const std::string& text, std::string_view digits) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error == std::errc() && end == digits.data() + digits.size() && count > 0) return count;
  return fail(ErrorKind::invalid_request, fmt::format("'{}' is not 'last:' and a number", text),
              "Write --delta-from last:3, or name a version.");
}

}  // namespace

bool delta_pays(std::uint64_t delta_bytes, std::uint64_t recipes_bytes) {
  return delta_bytes * kDeltaPaysDenominator <= recipes_bytes * kDeltaPaysNumerator;
}

Result<std::vector<std::string>> delta_versions(const content::ChannelList& list,
                                                const std::string& version,
                                                const std::vector<std::string>& asked) {
  constexpr std::string_view kLast = "last:";
  std::vector<std::string> earlier = list.versions;
  std::erase(earlier, version);
  std::vector<std::string> chosen;
  for (const auto& text : asked) {
    if (text.starts_with(kLast)) {
      SHOAL_ASSIGN(const auto count, parse_last(text, std::string_view(text).substr(kLast.size())));
      const auto first = earlier.size() - std::min(count, earlier.size());
      chosen.insert(chosen.end(), earlier.begin() + static_cast<std::ptrdiff_t>(first),
                    earlier.end());
    } else if (std::ranges::find(earlier, text) == earlier.end()) {
      return fail(ErrorKind::not_found, fmt::format("there is no earlier version '{}'", text),
                  "'shoal-publish list' shows what is there.");
    } else {
      chosen.push_back(text);
    }
  }
  std::erase_if(earlier,
                [&](const auto& one) { return std::ranges::find(chosen, one) == chosen.end(); });
  return earlier;
}

Result<std::vector<UpdateCost>> add_deltas(const Layout& layout, const State& state,
                                           const content::ChannelList& list,
                                           const DeltaRequest& request, const BuildOptions& options,
                                           const StopToken& stop, WorkerPool& pool,
                                           BuiltRelease& built) {
  SHOAL_ASSIGN(const auto wanted, delta_versions(list, options.version, request.from));
  std::vector<UpdateCost> costs;
  if (built.release.components.front().content.image_size == 0) return costs;
  SHOAL_ASSIGN(const auto scratch, Scratch::make(layout));
  DeltaMaker maker(layout, state, request, options, stop, pool, built, scratch.path());
  SHOAL_TRY(maker.open_new());
  std::size_t shown = 0;
  for (const auto& version : list.versions | std::views::reverse) {
    const bool make = std::ranges::find(wanted, version) != wanted.end();
    if (version == options.version || (!make && shown >= kMaxShownVersions)) continue;
    ++shown;
    SHOAL_ASSIGN(auto cost, maker.cost_from(version, make));
    if (cost) costs.push_back(*std::move(cost));
    if (cost || !make) continue;
    return fail(ErrorKind::not_found,
                fmt::format("version '{}' has no component '{}' with anything in it", version,
                            options.component),
                "Name another version with --delta-from.");
  }
  return costs;
}

}  // namespace shoal::publish
