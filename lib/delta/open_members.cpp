// Settings are guessed: those that fitted last, then what the zlib header hints at, then all levels
// with the usual memory. A container that another compressor made is given up after some tries.
#include "delta/open_members.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/for_each.hpp"
#include "delta/member_writer.hpp"

namespace shoal::delta {
namespace {

constexpr int kTries =
    16;  // members of a file that cannot be made again, before the first that can

// Members of one side, of the files that the other side does not have.
using Found = std::vector<std::vector<Member>>;  // by file

Result<Found> find(const Side& side, const std::vector<bool>& stays, WorkerPool* workers,
                   const StopToken& stop) {
  Found found(side.tree_files);
  const auto find_in = [&](std::size_t file) -> Result<void> {
    if (stays[file] || side.is_program(file)) return {};
    SHOAL_ASSIGN(found[file], find_members(side.files[file], stop));
    return {};
  };
  SHOAL_TRY(for_each(workers, side.tree_files, find_in));
  return found;
}

ByteView packed_bytes(const Side& side, std::size_t file, const Member& member) {
  return side.files[file].subspan(member.offset, member.packed_size);
}

// Where the old tree has each member; takes those that the new tree has too out of both.
void drop_common(const Side& old, Found& old_found, const Side& fresh, Found& new_found) {
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;
  const auto key = [](const Member& member) {
    return Key{member.packed_size, member.plain_size, member.adler32};
  };
  std::multimap<Key, std::pair<std::size_t, std::size_t>> known;  // file, number
  for (std::size_t file = 0; file < old_found.size(); ++file) {
    for (std::size_t i = 0; i < old_found[file].size(); ++i) {
      known.emplace(key(old_found[file][i]), std::pair{file, i});
    }
  }
  std::vector<std::vector<bool>> kept(old_found.size());
  for (std::size_t file = 0; file < kept.size(); ++file) kept[file].resize(old_found[file].size());
  for (std::size_t file = 0; file < new_found.size(); ++file) {
    std::erase_if(new_found[file], [&](const Member& member) {
      const auto bytes = packed_bytes(fresh, file, member);
      const auto [begin, end] = known.equal_range(key(member));
      const auto same = std::find_if(begin, end, [&](const auto& one) {
        const auto [old_file, i] = one.second;
        return std::ranges::equal(bytes, packed_bytes(old, old_file, old_found[old_file][i]));
      });
      if (same == end) return false;
      kept[same->second.first][same->second.second] = true;
      return true;
    });
  }
  for (std::size_t file = 0; file < kept.size(); ++file) {
    std::size_t i = 0;
    std::erase_if(old_found[file], [&](const Member&) { return kept[file][i++]; });
  }
}

// In the order in which they are worth trying.
std::vector<DeflateSettings> guesses(const Member& member, const DeflateSettings& last) {
  // By the two bits of a zlib header that tell how it was compressed (RFC 1950, FLEVEL).
  constexpr std::array<std::array<std::uint8_t, 9>, 4> kOrder = {{{1, 6, 9, 2, 3, 4, 5, 7, 8},
                                                                  {2, 3, 4, 5, 6, 9, 1, 7, 8},
                                                                  {6, 9, 5, 7, 8, 4, 3, 2, 1},
                                                                  {9, 8, 7, 6, 5, 4, 3, 2, 1}}};
  constexpr std::uint8_t kUsual = 0, kFiltered = 1, kHuffmanOnly = 2, kRuns = 3;
  const unsigned header = member.zlib_header;
  // By its upper bits, how far back it looks; zlib cannot do 8, and means 9.
  const auto window =
      static_cast<std::uint8_t>(header == 0 ? 15U : std::max(9U, (header >> 12) + 8U));
  const auto& levels = kOrder[header == 0 ? 2 : header >> 6 & 3];
  std::vector<DeflateSettings> settings = {{last.level, last.memory_level, window, last.strategy}};
  for (const auto strategy : {kUsual, kFiltered}) {  // the second for PNG files
    for (const std::uint8_t memory : {8, 9}) {
      for (const auto level : levels) settings.push_back({level, memory, window, strategy});
    }
  }
  for (const auto strategy : {kHuffmanOnly, kRuns}) {  // which look at no level
    for (const std::uint8_t memory : {8, 9}) settings.push_back({6, memory, window, strategy});
  }
  return settings;
}

// True: the decoder will make these bytes of the file.
bool makes(const Packing& packing, ByteView plain, ByteView packed) {
  MemberWriter writer(packing);
  const auto as_expected = [&](std::uint64_t at, ByteView bytes) -> Result<void> {
    if (std::ranges::equal(bytes, packed.subspan(at, bytes.size()))) return {};
    return fail(ErrorKind::conflict, "other bytes");
  };
  return writer.add(plain, true, as_expected).has_value();
}

class NewMembers {
 public:
  NewMembers(Side& side, std::uint64_t memory_bytes) : side_(side), left_(memory_bytes) {}

  Result<void> open(std::size_t file, const std::vector<Member>& members, const StopToken& stop) {
    int failed = 0;
    for (const auto& member : members) {
      SHOAL_TRY(stop.check());
      if (failed == kTries) return {};
      if (member.plain_size > left_) continue;
      auto plain = inflate_exactly(deflate_stream(side_.files[file], member), member.plain_size);
      if (!plain) continue;
      const auto packing = packing_of(file, member, *plain);
      if (!packing) {
        if (failed >= 0) ++failed;
        continue;
      }
      failed = -1;  // this container can be made again, whatever some members are
      last_ = packing->settings;
      left_ -= member.plain_size;
      SHOAL_TRY(side_.open({file, member, std::move(*plain), *packing}));
    }
    return {};
  }

 private:
  std::optional<Packing> packing_of(std::size_t file, const Member& member, ByteView plain) const {
    if (member.in_png && member.png_chunk == 0) return std::nullopt;
    const Bytes stream = deflate_stream(side_.files[file], member);
    for (const auto& settings : guesses(member, last_)) {
      if (!makes(settings, plain, stream)) continue;
      if (!member.in_png) return Packing{settings, member.packed_size};
      const Packing packing{settings, member.packed_size, member.png_chunk, member.zlib_header};
      if (makes(packing, plain, packed_bytes(side_, file, member))) return packing;
    }
    return std::nullopt;
  }

  Side& side_;
  std::uint64_t left_;
  DeflateSettings last_;
};

Result<void> open_old(Side& side, const Found& found, std::uint64_t memory_bytes,
                      const StopToken& stop) {
  for (std::size_t file = 0; file < found.size(); ++file) {
    for (const auto& member : found[file]) {
      SHOAL_TRY(stop.check());
      if (member.plain_size > memory_bytes) continue;
      auto plain = inflate_exactly(deflate_stream(side.files[file], member), member.plain_size);
      if (!plain) continue;
      memory_bytes -= member.plain_size;
      SHOAL_TRY(side.open({file, member, std::move(*plain), {}}));
    }
  }
  return {};
}

}  // namespace

Result<void> open_members(Side& old, Side& fresh, const EqualFiles& equal,
                          std::uint64_t memory_bytes, WorkerPool* workers, const StopToken& stop) {
  std::vector<bool> old_stays(old.tree_files), new_stays(fresh.tree_files);
  for (std::size_t i = 0; i < equal.size(); ++i) {
    new_stays[i] = equal[i].has_value();
    if (equal[i]) old_stays[*equal[i]] = true;
  }
  SHOAL_ASSIGN(auto new_found, find(fresh, new_stays, workers, stop));
  if (std::ranges::all_of(new_found, [](const auto& one) { return one.empty(); })) return {};
  SHOAL_ASSIGN(auto old_found, find(old, old_stays, workers, stop));
  drop_common(old, old_found, fresh, new_found);
  NewMembers opener(fresh, memory_bytes);
  for (std::size_t file = 0; file < new_found.size(); ++file) {
    SHOAL_TRY(opener.open(file, new_found[file], stop));
  }
  return fresh.members.empty() ? Result<void>{} : open_old(old, old_found, memory_bytes, stop);
}

}  // namespace shoal::delta
