// From a tree to a release: scan, check the names, lay the image out, one pass over the bytes, and
// then the small files that describe the result. What is returned was parsed back as a client will.
#include "publish/release_builder.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <bit>

#include "content/image.hpp"
#include "content/recipe.hpp"
#include "publish/bundle_writer.hpp"
#include "publish/piece_pass.hpp"
#include "publish/tree_scan.hpp"

namespace shoal::publish {
namespace {

constexpr int kMaxZstdLevel = 22;

Result<void> check_options(const BuildOptions& options) {
  SHOAL_TRY(check_name("product", options.product));
  SHOAL_TRY(check_name("version", options.version));
  SHOAL_TRY(check_name("component", options.component));
  if (options.zstd_level < 0 || options.zstd_level > kMaxZstdLevel)
    return fail(ErrorKind::invalid_request, fmt::format("compression level {} is not in 0 … {}",
                                                        options.zstd_level, kMaxZstdLevel));
  if (options.piece_size != 0 &&
      (!std::has_single_bit(options.piece_size) || options.piece_size < content::kMinPieceSize ||
       options.piece_size > content::kMaxPieceSize))
    return fail(ErrorKind::invalid_request,
                fmt::format("piece size {} is not a power of two from 16 KiB to 16 MiB",
                            options.piece_size));
  return {};
}

// Pieces of another size share no hash with earlier ones: a tree that grew a little past a
// threshold keeps the size that the latest earlier artifact has.
std::uint32_t decide_piece_size(const BuildOptions& options, std::uint64_t total_bytes) {
  if (options.piece_size != 0) return options.piece_size;
  std::uint32_t chosen = content::choose_piece_size(total_bytes);
  if (options.earlier.empty()) return chosen;
  std::uint32_t earlier = options.earlier.back().index.piece_size;
  return earlier == chosen * 2 || earlier == chosen / 2 ? earlier : chosen;
}

content::Release make_release(const BuildOptions& options, ScannedTree& scanned) {
  content::Release release;
  release.product = options.product;
  release.version = options.version;
  release.platforms = options.platforms;
  release.allow_outside_links = options.allow_outside_links;
  release.trackers = options.trackers;
  content::Component component;
  component.name = options.component;
  component.files = std::move(scanned.files);
  component.symlinks = std::move(scanned.symlinks);
  component.directories = std::move(scanned.directories);
  release.components.push_back(std::move(component));
  return release;
}

Result<void> lay_out_image(const BuildOptions& options, content::Component& component) {
  content::ContentArtifact& content = component.content;
  content.piece_size = decide_piece_size(options, component.total_bytes());
  content.image_size = content::lay_out(component.files, content.piece_size);
  if (content.image_size / content.piece_size <= content::kMaxPieces) return {};
  return fail(
      ErrorKind::too_large,
      fmt::format("the tree needs {} pieces of {} bytes, more than {}",
                  content.image_size / content.piece_size, content.piece_size, content::kMaxPieces),
      "Publish it as several components.");
}

// Everything about the component's bytes: bundles, torrent, edge index and recipes.
Result<void> build_artifact(const std::filesystem::path& repository, const PassInput& input,
                            const BuildOptions& options, WorkerPool& pool,
                            const BuildProgress& progress, BuiltRelease& built) {
  content::Component& component = built.release.components.front();
  content::ContentArtifact& content = component.content;
  BundleWriter bundles(repository, content.piece_size, input.frame_size, options.earlier);
  content::Recipes recipes;
  SHOAL_ASSIGN(auto hashes, run_piece_pass(input, component, recipes, bundles, pool, progress));
  SHOAL_ASSIGN(auto index, bundles.finish());

  content::TorrentInput torrent;
  torrent.name = fmt::format("{}-{}-{}.image", options.product, options.version, component.name);
  torrent.image_size = content.image_size;
  torrent.piece_size = content.piece_size;
  torrent.piece_hashes = std::move(hashes.v2);
  torrent.v1_piece_hashes = std::move(hashes.v1);
  torrent.trackers = options.trackers;
  Bytes torrent_file = content::make_torrent(torrent);
  SHOAL_ASSIGN(auto parsed, content::parse_torrent(torrent_file));

  std::string prefix = fmt::format("{}/{}/{}", options.product, options.version, component.name);
  content.info_hash = parsed.info_hash;
  content.torrent_target = prefix + ".torrent";
  content.index_target = prefix + ".index";
  content.recipes_target = prefix + ".recipes";
  content.edge_bytes = bundles.edge_bytes();
  built.targets.push_back({content.torrent_target, std::move(torrent_file)});
  built.targets.push_back({content.index_target, content::format_edge_index(index)});
  built.targets.push_back({content.recipes_target, content::format_recipes(recipes)});
  built.statistics.edge_bytes = bundles.edge_bytes();
  built.statistics.new_bundle_bytes = bundles.new_bytes();
  built.statistics.reused_pieces = bundles.reused_pieces();
  return {};
}

}  // namespace

Result<BuiltRelease> build_release(const std::filesystem::path& repository,
                                   const std::filesystem::path& tree, const BuildOptions& options,
                                   WorkerPool& pool, const BuildProgress& progress,
                                   const StopToken& stop) {
  SHOAL_TRY(check_options(options));
  SHOAL_ASSIGN(auto directory, BeneathDir::open(tree));
  SHOAL_ASSIGN(auto scanned, scan_tree(directory));
  SHOAL_TRY(stop.check());
  BuiltRelease built;
  built.release = make_release(options, scanned);
  SHOAL_ASSIGN(built.warnings, content::check_tree_paths(
                                   built.release, content::needs_distinct_case(built.release)));
  content::Component& component = built.release.components.front();
  SHOAL_TRY(lay_out_image(options, component));
  if (component.content.image_size > 0) {
    PassInput input{directory, scanned.stamps};
    input.frame_size = std::min(content::kDefaultFrameSize, component.content.piece_size);
    input.zstd_level = options.zstd_level;
    input.hybrid = options.hybrid;
    input.stop = stop;
    SHOAL_TRY(build_artifact(repository, input, options, pool, progress, built));
  }
  built.statistics.files = component.files.size();
  built.statistics.tree_bytes = component.total_bytes();
  built.statistics.image_bytes = component.content.image_size;

  Bytes json = to_bytes(content::format_release(built.release));
  SHOAL_TRY(content::parse_release(json));
  std::string path = fmt::format("{}/{}/release.json", options.product, options.version);
  built.targets.push_back({std::move(path), std::move(json)});
  return built;
}

}  // namespace shoal::publish
