// A component's files out of the repository's bundles, as one side of a delta: no tree on a disk is
// asked for again. Private to `publish`.
#pragma once

#include "publish/delta_build.hpp"
#include "publish/piece_reader.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

// Files are written to a scratch folder when they are first opened, after they were verified
// against their merkle roots; so the disk that this takes is at most the files that were used.
class BundledTree {
 public:
  // Signed descriptions of the component. `scratch` is a folder of its own, and the caller's to
  // remove. Errors: those of read_artifact and parse_recipes.
  static Result<std::unique_ptr<BundledTree>> open(const Layout& layout, ArtifactFiles artifact,
                                                   const content::Component& component,
                                                   content::Recipes recipes,
                                                   std::filesystem::path scratch);
  BundledTree(const BundledTree&) = delete;
  BundledTree& operator=(const BundledTree&) = delete;

  DeltaSide delta_side() { return {component_, recipes_, files_}; }
  const content::Component& component() const { return component_; }
  const content::Recipes& recipes() const { return recipes_; }
  const content::EdgeIndex& index() const { return artifact_.index; }

 private:
  BundledTree(const Layout& layout, ArtifactFiles artifact, content::Component component,
              content::Recipes recipes, std::filesystem::path scratch)
      : repository_(layout.root()),
        artifact_(std::move(artifact)),
        component_(std::move(component)),
        recipes_(std::move(recipes)),
        scratch_(std::move(scratch)) {}

  Result<UniqueFd> extract(FileIndex file);
  Result<void> write_file(const content::FileEntry& file, int fd, const std::string& name);

  const std::filesystem::path repository_;
  const ArtifactFiles artifact_;
  const content::Component component_;
  const content::Recipes recipes_;
  const std::filesystem::path scratch_;
  std::optional<PieceReader> reader_;
  std::mutex extracting_;
  OpenFiles files_{[this](FileIndex file) { return extract(file); }};
};

}  // namespace shoal::publish
