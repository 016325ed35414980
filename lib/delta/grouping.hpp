// Which files are encoded together, so that a publisher's memory is bounded however large the
// trees are. Private to the encoder.
#pragma once

#include "content/recipe.hpp"
#include "delta/artifact.hpp"

namespace shoal::delta {

// One tree with its chunks: what it shares with the other one, roughly and cheaply.
struct ChunkedTree {
  FileList files;
  const content::Recipes& recipes;  // by file; lengths add up to each file's size
};

// How a memory limit is spent: a quarter holds a group, the rest is for encode(), which can then
// match all of the group with all of it.
struct MemoryShares {
  std::uint64_t group_bytes = 0;  // old and new slices of a group together
  std::uint64_t codec_bytes = 0;  // EncodeOptions::memory_bytes
};
inline constexpr std::uint64_t kMinMemoryBytes = 32 << 20;
inline constexpr std::uint64_t kDefaultMemoryBytes = 2'000'000'000;
MemoryShares share_memory(std::uint64_t memory_bytes);

// The groups that make every file of the new tree that needs making, in order of path; block_bytes
// are still 0. Old files that the new tree still has take part only where a made file shares a
// chunk with them: what stays is seldom what something else was made from.
std::vector<Group> make_groups(const ChunkedTree& old_tree, const ChunkedTree& new_tree,
                               std::uint64_t group_bytes);

}  // namespace shoal::delta
