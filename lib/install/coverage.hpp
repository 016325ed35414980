// Private to install: which 16 KiB blocks of an image are there. Two bytes a block, whatever the
// number of files and chunks.
#pragma once

#include <cstdint>
#include <vector>

#include "content/image.hpp"

namespace shoal::install {

class Coverage {
 public:
  // Nothing is there but the gaps.
  explicit Coverage(const content::Component& component);

  // These image bytes are there. No byte may be added twice.
  void add(std::uint64_t offset, std::uint64_t length);
  // The block is missing for good, whatever is added.
  void lose_block(std::uint64_t block) { missing_[block] = kLost; }

  bool has_block(std::uint64_t block) const { return missing_[block] == 0; }
  bool has_piece(PieceIndex piece) const;
  // By block of the piece.
  std::vector<bool> blocks_of(PieceIndex piece) const;
  std::uint64_t missing_blocks() const;

 private:
  static constexpr std::uint16_t kLost = 0xffff;  // more than a block has bytes
  template <typename Change>
  void for_blocks(std::uint64_t offset, std::uint64_t length, Change change);

  std::vector<std::uint16_t> missing_;  // file bytes of each block that are not there
  std::uint32_t blocks_per_piece_;
};

}  // namespace shoal::install
