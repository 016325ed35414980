// Likeness is told by samples: of the hashes of all 64-byte windows, those below a threshold, which
// are the same ones in moved content (Broder, "On the resemblance and containment of documents").
#include "delta/match_groups.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace shoal::delta {
namespace {

constexpr unsigned kSampleBits = 12;  // one window in 4096: 50 GB give 12 million samples, 200 MB
constexpr std::uint64_t kComparedEnd = 4096;  // of both ends of a file, to tell files apart quickly
constexpr std::size_t kMaxCandidates = 8;     // files of one key that are compared whole

// A 64-bit number for each byte (SplitMix64): adding them up under a shift hashes the last 64
// bytes.
constexpr std::array<std::uint64_t, 256> kGear = [] {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0;
  for (auto& entry : table) {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    entry = z ^ (z >> 31);
  }
  return table;
}();

// Hands every sampled hash to `take`; small units, too, have one: their lowest.
template <typename Take>
void sample(ByteView bytes, Take take) {
  std::uint64_t hash = 0;
  std::uint64_t lowest = UINT64_MAX;
  bool any = false;
  for (const auto byte : bytes) {
    hash = (hash << 1) + kGear[byte];
    if (hash >> (64 - kSampleBits) == 0) {
      take(hash);
      any = true;
    } else if (hash < lowest) {
      lowest = hash;
    }
  }
  if (!any) take(lowest);
}

ByteView bytes_of(const std::vector<ByteView>& files, const Unit& unit) {
  return files[unit.file].subspan(unit.offset, unit.size);
}

// Which old unit has a sampled hash; of several the first.
class SampleTable {
 public:
  SampleTable(const std::vector<ByteView>& files, const std::vector<Unit>& units) {
    for (std::uint32_t i = 0; i < units.size(); ++i) {
      sample(bytes_of(files, units[i]), [&](std::uint64_t hash) { entries_.push_back({hash, i}); });
    }
    std::ranges::sort(entries_);
  }

  // The old units that share samples with these bytes, most first.
  std::vector<std::size_t> alike(ByteView bytes) const {
    std::map<std::size_t, std::uint64_t> votes;
    sample(bytes, [&](std::uint64_t hash) {
      const auto found = std::ranges::lower_bound(entries_, Entry{hash, 0});
      if (found != entries_.end() && found->first == hash) ++votes[found->second];
    });
    std::vector<std::pair<std::uint64_t, std::size_t>> best;
    for (const auto& [unit, count] : votes) best.emplace_back(count, unit);
    std::ranges::sort(best, std::ranges::greater());
    std::vector<std::size_t> units;
    for (const auto& [count, unit] : best) units.push_back(unit);
    return units;
  }

 private:
  using Entry = std::pair<std::uint64_t, std::uint32_t>;
  std::vector<Entry> entries_;
};

std::uint64_t total(const std::vector<Unit>& units) {
  std::uint64_t sum = 0;
  for (const auto& unit : units) sum += unit.size;
  return sum;
}

using Key = std::array<std::uint64_t, 2>;  // size, and a hash of both ends

Key key_of(ByteView file) {
  std::uint64_t hash = 0;
  const auto add = [&](ByteView bytes) {
    for (const auto byte : bytes) hash = (hash ^ byte) * 0x100000001B3ULL;  // FNV-1a
  };
  add(file.first(std::min<std::size_t>(kComparedEnd, file.size())));
  add(file.last(std::min<std::size_t>(kComparedEnd, file.size())));
  return {file.size(), hash};
}

}  // namespace

EqualFiles equal_files(const std::vector<ByteView>& old_files,
                       const std::vector<ByteView>& new_files) {
  std::map<Key, std::vector<std::size_t>> by_key;
  for (std::size_t i = 0; i < old_files.size(); ++i) {
    if (old_files[i].empty()) continue;
    auto& candidates = by_key[key_of(old_files[i])];
    if (candidates.size() < kMaxCandidates) candidates.push_back(i);
  }
  std::vector<std::optional<std::size_t>> equal;
  for (const auto& file : new_files) {
    std::optional<std::size_t> found;
    const auto candidates = by_key.find(key_of(file));
    if (!file.empty() && candidates != by_key.end()) {
      for (const auto i : candidates->second) {
        if (!found && std::ranges::equal(old_files[i], file)) found = i;
      }
    }
    equal.push_back(found);
  }
  return equal;
}

std::uint64_t group_cost(std::uint64_t old_bytes, std::uint64_t new_bytes) {
  return old_bytes + old_bytes / 4 + new_bytes;  // masked copies, and the table of blocks
}

std::vector<MatchGroup> group_units(const std::vector<ByteView>& old_files,
                                    const std::vector<Unit>& old_units,
                                    const std::vector<ByteView>& new_files,
                                    const std::vector<Unit>& new_units, std::uint64_t limit) {
  if (new_units.empty()) return {};
  if (group_cost(total(old_units), total(new_units)) <= limit) return {{old_units, new_units}};
  const SampleTable table(old_files, old_units);
  std::vector<MatchGroup> groups;
  std::set<std::size_t> in_group;  // indices of old units
  std::uint64_t old_bytes = 0;
  std::uint64_t new_bytes = 0;
  const auto end_group = [&] {
    for (const auto i : in_group) groups.back().old_units.push_back(old_units[i]);
    in_group.clear();
    old_bytes = new_bytes = 0;
  };
  for (const auto& unit : new_units) {
    const auto alike = table.alike(bytes_of(new_files, unit));
    std::uint64_t more = 0;
    for (const auto i : alike) more += in_group.contains(i) ? 0 : old_units[i].size;
    const bool fits = group_cost(old_bytes + more, new_bytes + unit.size) <= limit;
    if (groups.empty() || (!fits && new_bytes > 0)) {
      if (!groups.empty()) end_group();
      groups.emplace_back();
    }
    groups.back().new_units.push_back(unit);
    new_bytes += unit.size;
    for (const auto i : alike) {
      if (in_group.contains(i)) continue;
      const bool over = group_cost(old_bytes + old_units[i].size, new_bytes) > limit;
      if (over && !in_group.empty()) continue;
      in_group.insert(i);
      old_bytes += old_units[i].size;
    }
  }
  end_group();
  return groups;
}

}  // namespace shoal::delta
