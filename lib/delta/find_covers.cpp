// Mask, match, and give what was found its place in the trees.
#include "delta/find_covers.hpp"

#include <algorithm>

#include "base/for_each.hpp"
#include "delta/block.hpp"
#include "delta/mask.hpp"
#include "delta/match.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMinCover = 8;    // shorter ones cost more than they save
constexpr std::uint64_t kSuffixCost = 5;  // bytes for each that a suffix array is of

// Programs of any system, and objects and others whose references are not known.
bool is_code(ByteView file) {
  const auto text = as_text(file.first(std::min<std::size_t>(file.size(), 4)));
  return text == "\177ELF" || text.starts_with("MZ");
}

// Programs are looked at whole; other files in stretches, their opened members apart.
void add_units(const Side& side, std::size_t file, std::vector<Unit>& units) {
  for (const auto& stretch : side.closed_stretches(file)) {
    const std::uint64_t most = side.is_program(file) ? stretch.size : kMaxPartBytes;
    for (std::uint64_t at = 0; at < stretch.size; at += most) {
      units.push_back({file, stretch.offset + at, std::min(most, stretch.size - at)});
    }
  }
}

// What the matcher sees of some units: their bytes one after another, references masked.
struct Masked {
  Bytes bytes;
  std::vector<FileSpan> spans;
  std::vector<std::uint64_t> positions;  // of each unit, in the tree's files one after another

  std::size_t span_at(std::uint64_t at) const {
    const auto after = std::ranges::upper_bound(spans, at, {}, &FileSpan::begin);
    return static_cast<std::size_t>(after - spans.begin()) - 1;
  }
};

Result<Masked> mask(const Side& side, const std::vector<Unit>& units, WorkerPool* workers,
                    const StopToken& stop) {
  Masked masked;
  std::uint64_t size = 0;
  for (const auto& unit : units) {
    masked.spans.push_back({size, unit.size, is_code(side.files[unit.file])});
    masked.positions.push_back(side.starts[unit.file] + unit.offset);
    size += unit.size;
  }
  masked.bytes.resize(size);
  const auto mask_unit = [&](std::size_t i) -> Result<void> {
    SHOAL_TRY(stop.check());
    const auto& unit = units[i];
    const auto plain = side.files[unit.file].subspan(unit.offset, unit.size);
    const auto out = MutableByteView(masked.bytes).subspan(masked.spans[i].begin, unit.size);
    std::ranges::copy(plain, out.begin());
    if (side.is_program(unit.file)) mask_references(plain, *side.finders[unit.file], out);
    return {};
  };
  SHOAL_TRY(for_each(workers, units.size(), mask_unit));
  return masked;
}

// Cuts covers where a unit ends, on either side, and gives them positions in the trees.
void add_covers(const std::vector<Cover>& found, const Masked& old, const Masked& fresh,
                std::vector<Cover>& covers) {
  for (Cover cover : found) {
    while (cover.size > 0) {
      const std::size_t from = old.span_at(cover.old_begin);
      const std::size_t to = fresh.span_at(cover.new_begin);
      const std::uint64_t in_old = cover.old_begin - old.spans[from].begin;
      const std::uint64_t in_new = cover.new_begin - fresh.spans[to].begin;
      const std::uint64_t size =
          std::min({cover.size, old.spans[from].size - in_old, fresh.spans[to].size - in_new});
      if (size >= kMinCover) {
        covers.push_back({old.positions[from] + in_old, fresh.positions[to] + in_new, size});
      }
      cover = {cover.old_begin + size, cover.new_begin + size, cover.size - size};
    }
  }
}

}  // namespace

Result<std::vector<Cover>> find_covers(const Side& old, const Side& fresh, const EqualFiles& equal,
                                       std::uint64_t memory_bytes, WorkerPool* workers,
                                       const StopToken& stop) {
  std::vector<Cover> covers;
  std::vector<bool> same(old.files.size());
  std::vector<Unit> old_units, new_units;
  for (std::size_t i = 0; i < fresh.files.size(); ++i) {
    if (i >= equal.size() || !equal[i]) {
      add_units(fresh, i, new_units);
      continue;
    }
    covers.push_back({old.starts[*equal[i]], fresh.starts[i], fresh.files[i].size()});
    same[*equal[i]] = true;
  }
  for (std::size_t i = 0; i < same.size(); ++i) {
    if (!same[i]) add_units(old, i, old_units);
  }
  // One half for the copies, the other for the suffix array.
  const auto groups = group_units(old.files, old_units, fresh.files, new_units, memory_bytes / 2);
  for (const auto& group : groups) {
    SHOAL_ASSIGN(const auto old_masked, mask(old, group.old_units, workers, stop));
    SHOAL_ASSIGN(const auto new_masked, mask(fresh, group.new_units, workers, stop));
    const MatchOptions limits{memory_bytes / 2 / kSuffixCost};
    SHOAL_ASSIGN(const auto found, match(old_masked.bytes, new_masked.bytes, new_masked.spans,
                                         limits, workers, stop));
    add_covers(found, old_masked, new_masked, covers);
  }
  std::ranges::sort(covers, {}, &Cover::new_begin);
  return covers;
}

}  // namespace shoal::delta
