// A component as it is installed, and as it shall be.
#pragma once

#include <memory>
#include <vector>

#include "base/file.hpp"
#include "content/edge_index.hpp"
#include "content/manifest.hpp"
#include "content/recipe.hpp"

namespace shoal::install {

// What is in an install now. `stamps` by FileIndex; a zero stamp: this file is not (or no longer)
// known to be what the manifest says.
struct InstalledComponent {
  std::shared_ptr<const content::Component> component;
  std::shared_ptr<const content::Recipes> recipes;  // null: no reuse below whole files
  std::vector<FileStamp> stamps;
};

// What shall be there.
struct TargetComponent {
  std::shared_ptr<const content::Component> component;
  std::shared_ptr<const content::Recipes> recipes;  // null: no reuse below whole files
  std::shared_ptr<const std::vector<Digest>> piece_hashes;
  std::shared_ptr<const content::EdgeIndex> index;  // for the plan's edge bytes
  // Leads here from the installed component of the same name; null: there is none.
  std::shared_ptr<const content::DeltaArtifact> delta{};
};

// The stamps of a component as bytes, for the caller to keep.
Bytes format_stamps(const std::vector<FileStamp>& stamps);
Result<std::vector<FileStamp>> parse_stamps(ByteView bytes);  // state_corrupt

}  // namespace shoal::install
