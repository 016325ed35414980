// Which way a component's new bytes come. Pure: costs in, choices with their reasons out. All of
// the policy is here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shoal::install {

// Files whose bytes are in the old tree, under whatever name, are kept, moved or copied whichever
// way is taken; this is about the others.
enum class Way {
  full,     // they are fetched whole
  recipes,  // their chunks that the old tree has are copied, the rest is fetched
  delta,    // a delta is fetched, which makes them out of the old files
};

struct WayCost {
  std::uint64_t fetch_bytes = 0;       // plain, from peers or edge
  std::uint64_t edge_bytes = 0;        // what the edge alone would send for them
  std::uint64_t write_bytes = 0;       // to the disk, a delta itself included
  std::uint64_t peak_extra_bytes = 0;  // disk space taken until the commit

  bool operator==(const WayCost&) const = default;
};

struct WayOffer {
  Way way = Way::full;
  WayCost cost;
};

struct WayChoice {
  Way way = Way::full;
  WayCost cost;
  std::string reason;  // words for a person
};

// By component, of its offers (at least one each): the cheapest; but where all of them together
// take more room on the disk than there is, others that take less, as long as there are.
std::vector<WayChoice> choose_ways(const std::vector<std::vector<WayOffer>>& components,
                                   std::uint64_t room_bytes);

std::string_view name_of(Way way);

}  // namespace shoal::install
