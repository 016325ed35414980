// A file of one range is its own tree, as narrow as its leaves allow; of several, each is as wide
// as a full one, and the tree above them is padded with the digest of an empty one. Each 16 KiB
// leaf is hashed in one call.
#include "content/file_ranges.hpp"

#include <algorithm>
#include <bit>

namespace shoal::content {
namespace {

constexpr std::size_t kLeaves = FileRanges::kBytes / kBlockSize;
constexpr std::size_t kReadBytes = 1 << 20;

}  // namespace

std::size_t FileRanges::count() const {
  return std::max<std::size_t>(1, (size_ + kBytes - 1) / kBytes);
}

std::uint64_t FileRanges::length(std::size_t range) const {
  return std::min(kBytes, size_ - begin(range));
}

Result<Digest> FileRanges::hash(std::size_t range, const Read& read) const {
  thread_local Bytes buffer(kReadBytes);
  std::vector<Digest> leaves;
  std::uint64_t offset = begin(range);
  const std::uint64_t end = offset + length(range);
  leaves.reserve((end - offset + kBlockSize - 1) / kBlockSize);
  while (offset < end) {
    const auto part =
        MutableByteView(buffer).first(std::min<std::uint64_t>(end - offset, kReadBytes));
    SHOAL_TRY(read(offset, part));
    for (std::size_t at = 0; at < part.size(); at += kBlockSize)
      leaves.push_back(
          sha256(part.subspan(at, std::min<std::size_t>(kBlockSize, part.size() - at))));
    offset += part.size();
  }
  return merkle_root(leaves, count() > 1 ? kLeaves : 0);
}

Digest FileRanges::join(std::span<const Digest> ranges) const {
  if (ranges.size() == 1) return ranges.front();
  return merkle_root(ranges, 0, merkle_pad(std::countr_zero(kLeaves)));
}

}  // namespace shoal::content
