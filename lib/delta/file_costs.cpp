// A block's packed bytes are dealt out to its files by what they put into its streams.
#include "delta/file_costs.hpp"

#include <algorithm>
#include <map>

#include "delta/prediction.hpp"

namespace shoal::delta {
FileCost& FileCosts::cost(std::size_t file) {
  if (files_.size() <= file) files_.resize(file + 1);
  return files_[file];
}

void FileCosts::part(const Part& part, const OldSpace& old) {
  std::map<std::size_t, std::uint64_t> from;
  for (const auto& cover : part.covers) from[old.file_at(cover.old_begin)] += cover.size;
  const auto most = std::ranges::max_element(from, {}, [](const auto& one) { return one.second; });
  FileCost& sum = cost(part.file);
  std::uint64_t order = 0;  // the end of the cover before, in the old file
  for (const auto& cover : part.covers) {
    // A member's bytes count as much as they take in the file.
    const std::uint64_t size = cover.size * part.file_size() / part.size;
    sum.covered_bytes += size;
    const bool elsewhere = old.file_at(cover.old_begin) != most->first;
    if (elsewhere || cover.old_begin < order) sum.moved_bytes += size;
    if (!elsewhere) order = cover.old_end();
  }
}

void FileCosts::window(std::size_t file, std::uint64_t size, std::uint64_t block_plain_bytes) {
  cost(file).new_bytes += size;
  shares_.push_back({file, block_plain_bytes - plain_bytes_ + 1});
  plain_bytes_ = block_plain_bytes;
}

void FileCosts::end_block() {
  ended_.push_back(std::move(shares_));
  shares_.clear();
  plain_bytes_ = 0;
}

void FileCosts::block(std::uint64_t packed_bytes) {
  const auto& shares = ended_.front();
  std::uint64_t all = 0;
  for (const auto& share : shares) all += share.plain_bytes;
  for (const auto& share : shares) {
    // Neither factor is beyond 2^32: a block is at most 16 MiB.
    const std::uint64_t until = packed_bytes * share.plain_bytes / all;
    cost(share.file).delta_bytes += until;
    packed_bytes -= until;
    all -= share.plain_bytes;
  }
  ended_.pop_front();
}

}  // namespace shoal::delta
