// Recipes: chunk lists inside a compressed envelope.
#include "content/recipe.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(recipes) {
  using namespace shoal;
  auto recipes = content::parse_recipes(bytes);
  if (!recipes) return;
  for (const auto& file : recipes->files)
    for (const auto& chunk : file)
      fuzz::require(chunk.length > 0 && chunk.length <= content::kChunkMax, "chunks are bounded");
  auto written = content::format_recipes(*recipes);
  auto again = content::parse_recipes(written);
  fuzz::require(again && content::format_recipes(*again) == written, "it reads back the same");
}
