// Covers come in order, so each part takes those that lie in it; what does not fit the format is
// left out, and costs literals.
#include "delta/plan_parts.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "delta/block.hpp"
#include "delta/member_source.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMinProgramBytes = 4 * 1024;  // covered by an old program, to translate it

std::vector<const ByteSource*> tree_sources(const Side& side) {
  std::vector<const ByteSource*> sources;
  sources.reserve(side.tree_files);
  for (std::size_t i = 0; i < side.tree_files; ++i) sources.push_back(&side.sources[i]);
  return sources;
}

// How often a decoder reads a page of the part's members, as it keeps the four read last at least.
std::uint64_t page_reads(const Part& part, const OldSpace& space, std::uint64_t members_begin) {
  constexpr std::uint64_t kPage = PagedInflater::kPageBytes;
  std::array<std::uint64_t, MemberPages::kMostBytes / kPage> recent{};  // the last one first
  std::uint64_t reads = 0;
  for (const auto& cover : part.covers) {
    if (cover.old_begin < members_begin) continue;
    const std::size_t file = space.file_at(cover.old_begin);
    const std::uint64_t begin = cover.old_begin - space.start(file);
    const std::uint64_t end =
        std::min(begin + std::max(cover.size, kReadAround), space.file(file).size());
    for (std::uint64_t page = begin / kPage; page * kPage < end; ++page) {
      const std::uint64_t key = file << 16 | (page + 1);
      auto at = std::ranges::find(recent, key);
      if (at == recent.end()) {
        ++reads;
        --at;
      }
      std::rotate(recent.begin(), at, at + 1);
      recent.front() = key;
    }
  }
  return reads;
}

// Where a part would go back and forth too often, the short covers from members are dropped, and
// longer ones until it does not.
void limit_page_reads(Part& part, const OldSpace& space, std::uint64_t members_begin) {
  std::uint64_t plain = 0;
  for (const auto& member : part.members) plain += member.plain_size;
  const std::uint64_t most = MemberPages::budget(plain) / 2;  // windows cut covers in two
  for (std::uint64_t shortest = 1024; page_reads(part, space, members_begin) > most;
       shortest *= 8) {
    std::erase_if(part.covers, [&](const Cover& cover) {
      return cover.old_begin >= members_begin && cover.size < shortest;
    });
  }
}

}  // namespace

PartPlanner::PartPlanner(const Side& old, const Side& fresh, std::vector<Cover> covers)
    : old_(old), fresh_(fresh), covers_(std::move(covers)), space_(tree_sources(old)) {}

Part PartPlanner::next_part(std::size_t file, std::uint64_t offset, std::uint64_t end) const {
  const bool program = fresh_.is_program(file);
  Part part;
  part.file = file;
  part.file_offset = offset;
  part.size = end - offset;
  if (!program) part.size = std::min(part.size, kMaxPartBytes);
  take_covers(part, fresh_.starts[file] + offset, !program);
  std::erase_if(part.covers, [&](const auto& cover) { return member_at(cover.old_begin); });
  if (program) choose_programs(part);
  return part;
}

PartPlanner::MemberPart PartPlanner::member_part(std::size_t number) const {
  const auto& opened = fresh_.members[number];
  Part part;
  part.file = opened.file;
  part.file_offset = opened.member.offset;
  part.size = opened.member.plain_size;
  part.packing = opened.packing;
  take_covers(part, fresh_.starts[fresh_.tree_files + number], false);
  OldSpace space(space_, choose_members(part));
  limit_page_reads(part, space, space_.size());
  return {std::move(part), std::move(space)};
}

// The covers of the new bytes from `begin` on. Too many: the part ends, or does without.
void PartPlanner::take_covers(Part& part, std::uint64_t begin, bool may_end) const {
  auto cover = std::ranges::lower_bound(covers_, begin, {}, &Cover::new_end);
  for (; cover != covers_.end() && cover->new_begin < begin + part.size; ++cover) {
    if (cover->new_end() <= begin) continue;
    if (part.covers.size() == kMaxPartCovers) {
      if (may_end) part.size = cover->new_begin - begin;
      return;
    }
    const std::uint64_t skip = begin > cover->new_begin ? begin - cover->new_begin : 0;
    const std::uint64_t at = cover->new_begin + skip - begin;
    part.covers.push_back(
        {cover->old_begin + skip, at, std::min(cover->size - skip, part.size - at)});
  }
}

void PartPlanner::choose_programs(Part& part) const {
  std::map<std::size_t, std::uint64_t> bytes_from;
  for (const auto& cover : part.covers) bytes_from[space_.file_at(cover.old_begin)] += cover.size;
  std::vector<std::pair<std::uint64_t, std::size_t>> best;
  for (const auto& [file, bytes] : bytes_from) {
    if (bytes >= kMinProgramBytes && !old_.finders[file]->layout().empty()) {
      best.emplace_back(bytes, file);
    }
  }
  std::ranges::sort(best, std::ranges::greater());
  if (best.size() > kMaxPartPrograms) best.resize(kMaxPartPrograms);
  for (const auto& [bytes, file] : best) part.programs.push_back({file, old_.finders[file], {}});
  if (!best.empty()) part.new_addresses = fresh_.finders[part.file]->layout().addresses;
}

// The old members that make most of the part, within the decoder's limits. Covers from others are
// dropped; positions in the chosen ones are made the part's.
std::vector<const ByteSource*> PartPlanner::choose_members(Part& part) const {
  std::map<std::size_t, std::uint64_t> bytes_from;  // by number of the member
  for (const auto& cover : part.covers) {
    if (const auto number = member_at(cover.old_begin)) bytes_from[*number] += cover.size;
  }
  std::vector<std::pair<std::uint64_t, std::size_t>> best;
  best.reserve(bytes_from.size());
  for (const auto& [number, bytes] : bytes_from) best.emplace_back(bytes, number);
  std::ranges::sort(best, std::ranges::greater());
  std::vector<const ByteSource*> sources;
  std::map<std::size_t, std::uint64_t> start_of;  // in the part's space
  std::uint64_t plain = 0;
  for (const auto& [bytes, number] : best) {
    const auto& [file, member, content, packing] = old_.members[number];
    if (part.members.size() == kMaxPartMembers) break;
    if (plain + member.plain_size > kMaxMemberBytes) continue;
    start_of[number] = space_.size() + plain;
    plain += member.plain_size;
    part.members.push_back(
        {file, member.offset, member.packed_size, member.plain_size, member.in_png});
    sources.push_back(&old_.sources[old_.tree_files + number]);
  }
  std::erase_if(part.covers, [&](Cover& cover) {
    const auto number = member_at(cover.old_begin);
    if (!number) return false;
    const auto start = start_of.find(*number);
    if (start == start_of.end()) return true;
    cover.old_begin += start->second - old_.starts[old_.tree_files + *number];
    return false;
  });
  return sources;
}

// The opened old member that has the position.
std::optional<std::size_t> PartPlanner::member_at(std::uint64_t old_position) const {
  if (old_position < space_.size()) return std::nullopt;
  const auto after = std::ranges::upper_bound(old_.starts, old_position);
  return static_cast<std::size_t>(after - old_.starts.begin()) - 1 - old_.tree_files;
}

}  // namespace shoal::delta
