// Counts, for each block, the file bytes still missing. As no byte is added twice, a count of zero
// says that all are there, in whatever order and pieces they came.
#include "install/coverage.hpp"

#include <algorithm>

namespace shoal::install {

using content::kBlockSize;

template <typename Change>
void Coverage::for_blocks(std::uint64_t offset, std::uint64_t length, Change change) {
  while (length > 0) {
    std::uint64_t part = std::min<std::uint64_t>(length, kBlockSize - offset % kBlockSize);
    change(missing_[offset / kBlockSize], static_cast<std::uint16_t>(part));
    offset += part;
    length -= part;
  }
}

Coverage::Coverage(const content::Component& component)
    : missing_(component.content.image_size / kBlockSize, 0),
      blocks_per_piece_(component.content.piece_size / kBlockSize) {
  for (const auto& file : component.files)
    for_blocks(file.offset, file.size, [](auto& missing, auto part) {
      missing = static_cast<std::uint16_t>(missing + part);
    });
}

void Coverage::add(std::uint64_t offset, std::uint64_t length) {
  for_blocks(offset, length, [](auto& missing, auto part) {
    if (missing != kLost) missing = static_cast<std::uint16_t>(missing - part);
  });
}

bool Coverage::has_piece(PieceIndex piece) const {
  auto first = missing_.begin() + static_cast<std::ptrdiff_t>(piece.value()) * blocks_per_piece_;
  return std::all_of(first, first + blocks_per_piece_, [](auto missing) { return missing == 0; });
}

std::vector<bool> Coverage::blocks_of(PieceIndex piece) const {
  std::vector<bool> blocks(blocks_per_piece_);
  std::uint64_t first = std::uint64_t{piece.value()} * blocks_per_piece_;
  for (std::uint32_t b = 0; b < blocks_per_piece_; ++b) blocks[b] = has_block(first + b);
  return blocks;
}

std::uint64_t Coverage::missing_blocks() const {
  return static_cast<std::uint64_t>(
      std::count_if(missing_.begin(), missing_.end(), [](auto missing) { return missing != 0; }));
}

}  // namespace shoal::install
