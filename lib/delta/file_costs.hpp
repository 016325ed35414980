// What each new file costs in a delta, and why. Private to the encoder but for FileCost.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace shoal::delta {

class OldSpace;
struct Part;

struct FileCost {
  std::uint64_t new_bytes = 0;
  std::uint64_t covered_bytes = 0;  // like old ones, from wherever
  // Of those, from another old file than most of this one, or against the order of the old bytes.
  std::uint64_t moved_bytes = 0;
  // Its share of the blocks that it is in: files share streams, so this is divided by what each of
  // them says before compression.
  std::uint64_t delta_bytes = 0;
};

class FileCosts {
 public:
  // In the order of encoding: a part, its windows, and the block's end after the last window in it.
  // What the blocks cost may be known later; in the same order.
  void part(const Part& part, const OldSpace& old);
  void window(std::size_t file, std::uint64_t size, std::uint64_t block_plain_bytes);
  void end_block();
  void block(std::uint64_t packed_bytes);
  std::vector<FileCost> take() { return std::move(files_); }

 private:
  FileCost& cost(std::size_t file);

  std::vector<FileCost> files_;
  struct Share {
    std::size_t file;
    std::uint64_t plain_bytes;
  };
  std::vector<Share> shares_;  // of the open block
  std::deque<std::vector<Share>> ended_;
  std::uint64_t plain_bytes_ = 0;  // of the open block so far
};

}  // namespace shoal::delta
