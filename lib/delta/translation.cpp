// The longest cover first, each old byte is given to one cover; a table by page makes the lookup,
// which runs for every reference of a program, a matter of a few comparisons.
#include "delta/translation.hpp"

#include <algorithm>
#include <map>

namespace shoal::delta {
namespace {

constexpr unsigned kPageBits = 12;

using Pieces = std::map<std::uint64_t, Cover>;

// Adds what of the cover lies in the old file's gaps between the pieces.
void add_where_free(Pieces& pieces, const Cover& cover) {
  std::uint64_t begin = cover.old_begin;
  while (begin < cover.old_end()) {
    const auto next = pieces.upper_bound(begin);
    if (next != pieces.begin() && std::prev(next)->second.old_end() > begin) {
      begin = std::prev(next)->second.old_end();
      continue;
    }
    const std::uint64_t end =
        next == pieces.end() ? cover.old_end() : std::min(cover.old_end(), next->first);
    pieces[begin] = {begin, cover.new_begin + (begin - cover.old_begin), end - begin};
    begin = end;
  }
}

}  // namespace

PositionMap::PositionMap(std::span<const Cover> covers) {
  std::vector<Cover> longest_first(covers.begin(), covers.end());
  std::ranges::stable_sort(longest_first, std::ranges::greater(), &Cover::size);
  Pieces pieces;
  for (const auto& cover : longest_first) add_where_free(pieces, cover);
  for (const auto& [begin, piece] : pieces) pieces_.push_back(piece);
  if (pieces_.empty()) return;
  const std::uint64_t pages = (pieces_.back().old_end() >> kPageBits) + 1;
  std::uint32_t piece = 0;
  for (std::uint64_t page = 0; page < pages; ++page) {
    while (pieces_[piece].old_end() <= page << kPageBits && piece + 1 < pieces_.size()) ++piece;
    by_page_.push_back(piece);
  }
}

std::optional<std::uint64_t> PositionMap::new_position(std::uint64_t old_position) const {
  if (pieces_.empty()) return std::nullopt;
  const std::uint64_t page = old_position >> kPageBits;
  std::size_t at = page < by_page_.size() ? by_page_[page] : pieces_.size() - 1;
  while (at + 1 < pieces_.size() && pieces_[at].old_end() <= old_position) ++at;
  // pieces_[at] holds the position, or follows it, or is the last one and before it.
  const Cover* best = &pieces_[at];
  if (old_position < best->old_begin && at > 0) {
    const Cover& before = pieces_[at - 1];
    if (old_position - before.old_end() < best->old_begin - old_position) best = &before;
  }
  return best->new_begin + (old_position - best->old_begin);
}

AddressTranslation::AddressTranslation(const AddressMap& old_addresses,
                                       const AddressMap& new_addresses,
                                       std::span<const Cover> covers,
                                       std::span<const AddressFix> fixes)
    : old_addresses_(old_addresses),
      new_addresses_(new_addresses),
      positions_(covers),
      fixes_(fixes) {
  for (const auto& fix : fixes) maybe_fixed_.set(filter_slot(fix.old_address));
}

std::uint64_t AddressTranslation::translate(std::uint64_t old_address) const {
  const auto old_offset = old_addresses_.offset_of(old_address);
  if (old_offset && !maybe_fixed_[filter_slot(old_address)]) {
    const auto new_offset = positions_.new_position(*old_offset);
    if (!new_offset) return old_address;
    return new_addresses_.address_of(*new_offset).value_or(old_address);
  }
  auto fix = std::ranges::upper_bound(fixes_, old_address, {}, &AddressFix::old_address);
  if (fix != fixes_.begin()) {
    --fix;
    if (fix->old_address == old_address) return fix->new_address;
  }
  if (!old_offset) {
    // Memory that is not in the file moves with its neighbours, or with the program's end.
    const bool neighbour = fix != fixes_.end() && fix->old_address < old_address &&
                           !old_addresses_.offset_of(fix->old_address);
    const std::uint64_t shift = neighbour
                                    ? fix->new_address - fix->old_address
                                    : new_addresses_.address_end() - old_addresses_.address_end();
    return old_address + shift;
  }
  const auto new_offset = positions_.new_position(*old_offset);
  if (!new_offset) return old_address;
  return new_addresses_.address_of(*new_offset).value_or(old_address);
}

}  // namespace shoal::delta
