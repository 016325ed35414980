// Every block of the image is marked in which a new file has a byte that no old chunk covers; a
// frame with a marked block is fetched. A whole file that the old tree has is covered without its
// chunks.
#include "publish/reuse_estimate.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

namespace shoal::publish {
namespace {

struct IdHash {
  std::size_t operator()(const content::ChunkId& id) const noexcept {
    std::size_t value;
    std::memcpy(&value, id.data(), sizeof value);
    return value;
  }
};

// The blocks of the image that must be fetched.
std::vector<bool> missing_blocks(const content::Component& old_component,
                                 const content::Recipes& old_recipes,
                                 const content::Component& new_component,
                                 const content::Recipes& new_recipes) {
  std::unordered_set<Digest> roots;
  for (const auto& file : old_component.files) roots.insert(file.root);
  std::unordered_set<content::ChunkId, IdHash> chunks;
  for (const auto& file : old_recipes.files)
    for (const auto& chunk : file) chunks.insert(chunk.id);

  std::vector<bool> missing(new_component.content.image_size / content::kBlockSize);
  for (std::size_t i = 0; i < new_component.files.size(); ++i) {
    const auto& file = new_component.files[i];
    if (file.size == 0 || roots.contains(file.root)) continue;
    std::uint64_t at = file.offset;
    for (const auto& chunk : new_recipes.files[i]) {
      const std::uint64_t end = at + chunk.length;
      if (chunk.length > 0 && !chunks.contains(chunk.id)) {
        for (auto block = at / content::kBlockSize; block * content::kBlockSize < end; ++block) {
          if (block < missing.size()) missing[block] = true;
        }
      }
      at = end;
    }
  }
  return missing;
}

}  // namespace

std::uint64_t bytes_by_recipes(const content::Component& old_component,
                               const content::Recipes& old_recipes,
                               const content::Component& new_component,
                               const content::Recipes& new_recipes,
                               const content::EdgeIndex& index) {
  const auto missing = missing_blocks(old_component, old_recipes, new_component, new_recipes);
  const std::size_t blocks_per_frame = index.frame_size / content::kBlockSize;
  std::uint64_t sum = 0;
  std::size_t block = 0;
  for (const auto& piece : index.pieces) {
    for (const auto& frame : piece.frames) {
      const auto begin = missing.begin() + static_cast<std::ptrdiff_t>(block);
      const auto end = begin + static_cast<std::ptrdiff_t>(blocks_per_frame);
      if (std::find(begin, end, true) != end) sum += frame.stored_size;
      block += blocks_per_frame;
    }
  }
  return sum;
}

}  // namespace shoal::publish
