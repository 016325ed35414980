// Bytes from the edge are what an update costs its publisher and mostly what its player waits for;
// a byte written counts a sixteenth of one, for that is about how much faster common disks are than
// common lines. What peers would bring for less is not known before they are asked, and counts for
// all ways alike.
#include "install/choose_way.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

namespace shoal::install {
namespace {

constexpr std::uint64_t kWrittenBytesPerEdgeByte = 16;

std::uint64_t price_of(const WayCost& cost) {
  return cost.edge_bytes + cost.write_bytes / kWrittenBytesPerEdgeByte;
}

// Of two that cost the same, the one that leaves less to fetch, then the simpler one.
bool is_cheaper(const WayOffer& a, const WayOffer& b) {
  return std::tuple(price_of(a.cost), a.cost.fetch_bytes, a.way) <
         std::tuple(price_of(b.cost), b.cost.fetch_bytes, b.way);
}

std::string amount(std::uint64_t bytes) {
  constexpr std::uint64_t kMegabyte = 1'000'000;
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < kMegabyte) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string_view words_of(Way way) {
  switch (way) {
    case Way::full:
      return "whole files";
    case Way::recipes:
      return "the parts that differ";
    case Way::delta:
      return "a delta";
  }
  return "";
}

// "a delta: 1.2 MB from the edge; the parts that differ would be 7.9 MB".
std::string reason_of(const WayOffer& chosen, const std::vector<WayOffer>& offers, bool for_room) {
  if (chosen.cost.edge_bytes == 0) return "all of it is on this disk";
  std::string text =
      fmt::format("{}: {} from the edge", words_of(chosen.way), amount(chosen.cost.edge_bytes));
  std::string_view separator = "; ";
  for (const auto& offer : offers) {
    if (offer.way == chosen.way) continue;
    text += fmt::format("{}{} would be {}", separator, words_of(offer.way),
                        amount(offer.cost.edge_bytes));
    separator = ", ";
  }
  if (for_room) text += ", but there is no room for it on the disk";
  return text;
}

// One component's offers while a choice is made.
struct Chosen {
  const std::vector<WayOffer>* offers;
  const WayOffer* offer;
  bool for_room = false;
};

// The step to less room that costs least; null when there is none.
const WayOffer* smaller(const Chosen& chosen) {
  const WayOffer* best = nullptr;
  for (const auto& offer : *chosen.offers)
    if (offer.cost.peak_extra_bytes < chosen.offer->cost.peak_extra_bytes &&
        (best == nullptr || is_cheaper(offer, *best)))
      best = &offer;
  return best;
}

bool save_room(std::vector<Chosen>& all) {
  Chosen* most = nullptr;
  std::uint64_t most_saved = 0;
  for (auto& chosen : all) {
    const auto* offer = smaller(chosen);
    if (offer == nullptr) continue;
    auto saved = chosen.offer->cost.peak_extra_bytes - offer->cost.peak_extra_bytes;
    if (saved > most_saved) std::tie(most, most_saved) = std::tuple(&chosen, saved);
  }
  if (most == nullptr) return false;
  most->offer = smaller(*most);
  most->for_room = true;
  return true;
}

}  // namespace

std::vector<WayChoice> choose_ways(const std::vector<std::vector<WayOffer>>& components,
                                   std::uint64_t room_bytes) {
  std::vector<Chosen> all;
  all.reserve(components.size());
  for (const auto& offers : components)
    all.push_back({&offers, &*std::ranges::min_element(offers, is_cheaper)});
  auto needed = [&] {
    std::uint64_t sum = 0;
    for (const auto& chosen : all) sum += chosen.offer->cost.peak_extra_bytes;
    return sum;
  };
  while (needed() > room_bytes && save_room(all)) {
  }
  std::vector<WayChoice> choices;
  choices.reserve(all.size());
  for (const auto& [offers, offer, for_room] : all)
    choices.push_back({offer->way, offer->cost, reason_of(*offer, *offers, for_room)});
  return choices;
}

std::string_view name_of(Way way) {
  switch (way) {
    case Way::full:
      return "full";
    case Way::recipes:
      return "recipes";
    case Way::delta:
      return "delta";
  }
  return "";
}

}  // namespace shoal::install
