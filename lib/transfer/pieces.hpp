// Sets of pieces, and of blocks in pieces.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/strong.hpp"

namespace shoal::transfer {

class PieceSet {
 public:
  PieceSet() = default;
  explicit PieceSet(std::uint32_t size, bool value = false)
      : bits_(size, value), count_(value ? size : 0) {}

  std::uint32_t size() const { return static_cast<std::uint32_t>(bits_.size()); }
  std::uint32_t count() const { return count_; }
  bool all() const { return count_ == size(); }
  bool has(PieceIndex piece) const { return bits_[piece.value()]; }
  void add(PieceIndex piece) {
    if (!bits_[piece.value()]) ++count_;
    bits_[piece.value()] = true;
  }
  void remove(PieceIndex piece) {
    if (bits_[piece.value()]) --count_;
    bits_[piece.value()] = false;
  }
  bool operator==(const PieceSet&) const = default;

 private:
  std::vector<bool> bits_;
  std::uint32_t count_ = 0;
};

// Which 16 KiB blocks of incomplete pieces are already in the store. A piece is in at most one of
// PieceSet and BlockMap.
using BlockMap = std::map<PieceIndex, std::vector<bool>>;

}  // namespace shoal::transfer
