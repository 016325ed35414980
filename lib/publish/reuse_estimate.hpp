// What an update would cost by recipes and pieces, that is without a delta. Private to `publish`.
#pragma once

#include "content/edge_index.hpp"
#include "content/manifest.hpp"
#include "content/recipe.hpp"

namespace shoal::publish {

// The stored bytes of those frames of the new component that an intact install of the old one does
// not give up whole, in blocks of 16 KiB: what a client would have to fetch from the edge. `index`
// is the new component's.
std::uint64_t bytes_by_recipes(const content::Component& old_component,
                               const content::Recipes& old_recipes,
                               const content::Component& new_component,
                               const content::Recipes& new_recipes,
                               const content::EdgeIndex& index);

}  // namespace shoal::publish
