// A file's merkle tree in ranges. Each is a whole subtree, so that the ranges of one large file can
// be hashed in any order, side by side, and joined at the end.
#pragma once

#include <functional>
#include <span>

#include "base/error.hpp"
#include "content/merkle.hpp"

namespace shoal::content {

class FileRanges {
 public:
  static constexpr std::uint64_t kBytes = 8ULL << 20;  // worth an open; 1 s at 8 MB/s

  explicit FileRanges(std::uint64_t file_size) : size_(file_size) {}

  std::size_t count() const;  // at least 1
  std::uint64_t begin(std::size_t range) const { return range * kBytes; }
  std::uint64_t length(std::size_t range) const;

  // `read` fills its bytes, those of the file from the offset on: large ones, in order. Errors:
  // read's.
  using Read = std::function<Result<void>(std::uint64_t offset, MutableByteView out)>;
  Result<Digest> hash(std::size_t range, const Read& read) const;
  // The file's root, of all its ranges.
  Digest join(std::span<const Digest> ranges) const;

 private:
  std::uint64_t size_;
};

}  // namespace shoal::content
