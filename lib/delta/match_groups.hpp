// What is matched with what: keeps the encoder's memory within its limit, however large the trees.
// Private to the encoder.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "delta/tree_side.hpp"

namespace shoal::delta {

struct MatchGroup {
  std::vector<Unit> old_units;  // in order; those that the new ones resemble
  std::vector<Unit> new_units;  // in order
};

// For each new file an old one with the same bytes, if there is one.
using EqualFiles = std::vector<std::optional<std::size_t>>;
EqualFiles equal_files(const std::vector<ByteView>& old_files,
                       const std::vector<ByteView>& new_files);

// What one group may take of memory while its units are in it, in bytes.
std::uint64_t group_cost(std::uint64_t old_bytes, std::uint64_t new_bytes);

// Distributes new units, in order, to groups of at most `limit` by group_cost: one group of
// everything if that fits, and otherwise each new unit comes with the old ones that share most with
// it. A unit that is larger than the limit is a group of its own, with the one old
// unit that it resembles most.
std::vector<MatchGroup> group_units(const std::vector<ByteView>& old_files,
                                    const std::vector<Unit>& old_units,
                                    const std::vector<ByteView>& new_files,
                                    const std::vector<Unit>& new_units, std::uint64_t limit);

}  // namespace shoal::delta
