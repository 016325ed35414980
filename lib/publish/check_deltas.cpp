// As a client would: the head out of the bundles, against both signed manifests; and, where asked,
// every file that the delta makes, against the same file out of the new version's bundles.
#include "publish/check_deltas.hpp"

#include <fmt/core.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>

#include "publish/bundled_tree.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  Result<void> make() {
    std::string pattern = fs::temp_directory_path() / "shoal-check-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      return fail(system_error(errno, "create a temporary folder", pattern));
    }
    path_ = pattern;
    return {};
  }
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Result<std::unique_ptr<BundledTree>> open_tree(const DeltaCheckContext& context,
                                               const content::Component& component,
                                               const fs::path& scratch) {
  SHOAL_ASSIGN(auto files, read_artifact(context.layout, context.state, component.content));
  SHOAL_ASSIGN(const auto bytes,
               read_target(context.layout, context.state, component.content.recipes_target));
  SHOAL_ASSIGN(auto recipes, content::parse_recipes(bytes));
  return BundledTree::open(context.layout, std::move(files), component, std::move(recipes),
                           scratch);
}

Result<void> apply(const DeltaCheckContext& context, const content::Component& old_component,
                   const content::Component& component, const delta::ArtifactHead& head,
                   const delta::ReadNext& next) {
  TemporaryFolder scratch;
  SHOAL_TRY(scratch.make());
  SHOAL_ASSIGN(const auto old_tree, open_tree(context, old_component, scratch.path() / "old"));
  SHOAL_ASSIGN(const auto new_tree, open_tree(context, component, scratch.path() / "new"));
  return compare_applied(head, next, old_tree->delta_side(), new_tree->delta_side(), {},
                         *context.apply_on);
}

}  // namespace

Result<ArtifactFiles> check_delta(const DeltaCheckContext& context,
                                  const content::Component& component,
                                  const content::DeltaArtifact& delta) {
  SHOAL_ASSIGN(auto files, read_artifact(context.layout, context.state, delta));
  if (files.torrent.info_hash != delta.info_hash ||
      files.torrent.image_size != delta.image_size() ||
      files.torrent.piece_size != delta.piece_size) {
    return fail(ErrorKind::metadata_invalid,
                fmt::format("{} does not belong to its release.json", delta.torrent_target));
  }
  SHOAL_ASSIGN(const auto release,
               read_release(context.layout, context.state, context.product, delta.from));
  const auto old = std::ranges::find(release.components, component.name, &content::Component::name);
  if (old == release.components.end()) {
    return fail(ErrorKind::metadata_invalid,
                fmt::format("version '{}' has no component '{}'", delta.from, component.name));
  }
  SHOAL_ASSIGN(auto reader, PieceReader::make(context.layout.root(), files.torrent, files.index));
  std::uint64_t at = 0;
  const delta::ReadNext next = [&](MutableByteView out) -> Result<void> {
    if (out.size() > delta.size - at) {
      return fail(ErrorKind::metadata_invalid, "the delta is larger than release.json says");
    }
    SHOAL_TRY(reader.read_range(at, out));
    at += out.size();
    return {};
  };
  SHOAL_ASSIGN(const auto head, delta::read_head(next, old->files, component.files));
  std::uint64_t size = at;
  for (const auto& group : head.groups) size += group.block_bytes;
  if (size != delta.size) {
    return fail(ErrorKind::metadata_invalid, "the delta's size is not what release.json says");
  }
  if (context.apply_on != nullptr) SHOAL_TRY(apply(context, *old, component, head, next));
  return files;
}

}  // namespace shoal::publish
