// Both trees are cut into slices. Each new slice has a vote of old ones: as many bytes as they
// share in chunks, and a little for the same place of the same path or name. Everything goes into
// one group if it fits; otherwise new slices are taken in order, each with the old slices that it
// votes for, until a group is full.
#include "delta/grouping.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

namespace shoal::delta {
namespace {

constexpr std::uint64_t kGroupShare = 4;  // one quarter of the memory
// A slice is a part of a group this small, so that a group holds several old ones for a new one.
constexpr std::uint64_t kSlicesPerGroup = 8;

constexpr std::size_t kMaxNamesakes = 8;  // "Makefile" says nothing

struct ChunkHash {
  std::size_t operator()(const content::ChunkId& id) const noexcept {
    std::size_t value;
    std::memcpy(&value, id.data(), sizeof value);
    return value;
  }
};
// Where a chunk is in the old tree: the first place that has it.
struct Place {
  FileIndex file;
  std::uint64_t offset = 0;
};
using Places = std::unordered_map<content::ChunkId, Place, ChunkHash>;
using Votes = std::map<Slice, std::uint64_t>;  // old slice -> bytes

class Grouping {
 public:
  Grouping(const ChunkedTree& old_tree, const ChunkedTree& new_tree, std::uint64_t group_bytes)
      : old_(old_tree),
        new_(new_tree),
        group_bytes_(group_bytes),
        slice_bytes_(std::max<std::uint64_t>(1, group_bytes / kSlicesPerGroup)),
        origins_(match_trees(old_tree.files, new_tree.files)) {
    stays_.resize(old_.files.size());
    wanted_.resize(old_.files.size());
    for (const auto& origin : origins_) {
      if (origin.kind == Origin::Kind::old_file) stays_[origin.source.value()] = true;
    }
    for (std::uint32_t i = 0; i < old_.files.size(); ++i) {
      old_at_path_.emplace(old_.files[i].path.text(), FileIndex(i));
      if (!stays_[i]) old_of_name_[std::string(old_.files[i].path.name())].emplace_back(i);
      std::uint64_t offset = 0;
      for (const auto& chunk : old_.recipes.files[i]) {
        places_.emplace(chunk.id, Place{FileIndex(i), offset});
        offset += chunk.length;
      }
    }
  }

  std::vector<Group> run() {
    std::uint64_t all_bytes = 0;
    std::vector<std::pair<Slice, Votes>> fresh;
    for (std::uint32_t i = 0; i < new_.files.size(); ++i) {
      if (origins_[i].kind != Origin::Kind::made) continue;
      all_bytes += new_.files[i].size;
      for (const auto& slice : slices_of(FileIndex(i), new_.files[i].size)) {
        fresh.emplace_back(slice, votes_of(slice));
        for (const auto& [old, bytes] : fresh.back().second) wanted_[old.file.value()] = true;
      }
    }
    for (std::uint32_t i = 0; i < old_.files.size(); ++i) {
      if (is_candidate(i)) all_bytes += old_.files[i].size;
    }
    if (fresh.empty()) return {};
    return all_bytes <= group_bytes_ ? one_group() : several_groups(fresh);
  }

 private:
  std::vector<Slice> slices_of(FileIndex file, std::uint64_t size) const {
    std::vector<Slice> slices;
    for (std::uint64_t at = 0; at < size; at += slice_bytes_) {
      slices.push_back({file, at, std::min(slice_bytes_, size - at)});
    }
    return slices;
  }

  Slice old_slice_at(const Place& place) const {
    const std::uint64_t size = old_.files[place.file.value()].size;
    const std::uint64_t at = place.offset / slice_bytes_ * slice_bytes_;
    return {place.file, at, std::min(slice_bytes_, size - at)};
  }

  // Of each chunk the part that lies in the slice, for the old slices that have it.
  Votes votes_of(const Slice& slice) const {
    Votes votes;
    std::uint64_t at = 0;
    for (const auto& chunk : new_.recipes.files[slice.file.value()]) {
      const std::uint64_t begin = std::max(at, slice.offset);
      const std::uint64_t end = std::min(at + chunk.length, slice.offset + slice.size);
      if (begin < end) {
        if (const auto place = places_.find(chunk.id); place != places_.end()) {
          vote_for_bytes(votes, {place->second.file, place->second.offset + (begin - at)},
                         end - begin);
        }
      }
      at += chunk.length;
    }
    const auto& path = new_.files[slice.file.value()].path;
    if (const auto same = old_at_path_.find(path.text()); same != old_at_path_.end()) {
      vote_for_place(votes, same->second, slice.offset, 2);
    }
    if (const auto named = old_of_name_.find(std::string(path.name()));
        named != old_of_name_.end() && named->second.size() <= kMaxNamesakes) {
      for (const auto file : named->second) vote_for_place(votes, file, slice.offset, 1);
    }
    return votes;
  }

  void vote_for_bytes(Votes& votes, Place place, std::uint64_t size) const {
    while (size > 0) {
      const Slice old = old_slice_at(place);
      const std::uint64_t here = std::min(size, old.offset + old.size - place.offset);
      votes[old] += here;
      place.offset += here;
      size -= here;
    }
  }

  void vote_for_place(Votes& votes, FileIndex old_file, std::uint64_t offset,
                      std::uint64_t vote) const {
    if (offset < old_.files[old_file.value()].size) votes[old_slice_at({old_file, offset})] += vote;
  }

  bool is_candidate(std::uint32_t old_file) const {
    return old_.files[old_file].size > 0 && (!stays_[old_file] || wanted_[old_file]);
  }

  std::vector<Group> one_group() const {
    Group group;
    for (std::uint32_t i = 0; i < old_.files.size(); ++i) {
      if (is_candidate(i)) group.old_slices.push_back({FileIndex(i), 0, old_.files[i].size});
    }
    for (std::uint32_t i = 0; i < new_.files.size(); ++i) {
      if (origins_[i].kind != Origin::Kind::made) continue;
      group.new_slices.push_back({FileIndex(i), 0, new_.files[i].size});
    }
    return {group};
  }

  std::vector<Group> several_groups(const std::vector<std::pair<Slice, Votes>>& fresh) const {
    std::vector<Group> groups;
    Group group;
    Votes chosen;
    std::uint64_t bytes = 0;
    const auto close = [&] {
      for (const auto& [slice, vote] : chosen) group.old_slices.push_back(slice);
      groups.push_back(join(std::move(group)));
      group = {};
      chosen.clear();
      bytes = 0;
    };
    for (const auto& [slice, votes] : fresh) {
      std::uint64_t more = slice.size;
      for (const auto& [old, vote] : votes) more += chosen.contains(old) ? 0 : old.size;
      if (!group.new_slices.empty() && bytes + more > group_bytes_) close();
      group.new_slices.push_back(slice);
      bytes += slice.size;
      for (const auto& old : by_votes(votes)) {
        if (chosen.contains(old) || bytes + old.size > group_bytes_) continue;
        chosen.emplace(old, 1);
        bytes += old.size;
      }
    }
    close();
    return groups;
  }

  static std::vector<Slice> by_votes(const Votes& votes) {
    std::vector<std::pair<std::uint64_t, Slice>> ranked;
    for (const auto& [slice, vote] : votes) ranked.emplace_back(vote, slice);
    std::ranges::sort(ranked, std::ranges::greater());
    std::vector<Slice> slices;
    for (const auto& [vote, slice] : ranked) slices.push_back(slice);
    return slices;
  }

  // Slices that follow each other in one file are one: a program is best looked at whole.
  static Group join(Group group) {
    for (auto* slices : {&group.old_slices, &group.new_slices}) {
      std::vector<Slice> joined;
      for (const auto& slice : *slices) {
        if (!joined.empty() && joined.back().file == slice.file &&
            joined.back().offset + joined.back().size == slice.offset) {
          joined.back().size += slice.size;
        } else {
          joined.push_back(slice);
        }
      }
      *slices = std::move(joined);
    }
    return group;
  }

  const ChunkedTree& old_;
  const ChunkedTree& new_;
  const std::uint64_t group_bytes_;
  const std::uint64_t slice_bytes_;
  const std::vector<Origin> origins_;
  std::vector<bool> stays_;   // old files that the new tree has, under whatever name
  std::vector<bool> wanted_;  // old files that somebody votes for
  std::unordered_map<std::string, FileIndex> old_at_path_;
  std::unordered_map<std::string, std::vector<FileIndex>> old_of_name_;  // those that do not stay
  Places places_;
};

}  // namespace

MemoryShares share_memory(std::uint64_t memory_bytes) {
  const std::uint64_t memory = std::max(memory_bytes, kMinMemoryBytes);
  return {memory / kGroupShare, memory - memory / kGroupShare};
}

std::vector<Group> make_groups(const ChunkedTree& old_tree, const ChunkedTree& new_tree,
                               std::uint64_t group_bytes) {
  return Grouping(old_tree, new_tree, group_bytes).run();
}

}  // namespace shoal::delta
