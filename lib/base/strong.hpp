// Strong index and offset types: a piece index cannot be passed where a file index is meant.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace shoal {

template <typename Tag, typename Rep = std::uint32_t>
class StrongIndex {
 public:
  constexpr StrongIndex() = default;
  constexpr explicit StrongIndex(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr StrongIndex& operator++() {
    ++value_;
    return *this;
  }
  constexpr auto operator<=>(const StrongIndex&) const = default;

 private:
  Rep value_ = 0;
};

using PieceIndex = StrongIndex<struct PieceTag>;  // of one artifact, from 0
using FileIndex = StrongIndex<struct FileTag>;    // into a component's list of files, from 0

}  // namespace shoal

template <typename Tag, typename Rep>
struct std::hash<shoal::StrongIndex<Tag, Rep>> {
  std::size_t operator()(const shoal::StrongIndex<Tag, Rep>& index) const noexcept {
    return std::hash<Rep>{}(index.value());
  }
};
