// A container that another compressor made is given up after some tries.
#include "delta/open_members.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "base/for_each.hpp"
#include "delta/guess_packing.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kTries = 16;  // members of a file, to find one that can be made again
constexpr std::uint64_t kLargeBytes = 4 << 20;  // a member that is guessed while no other such is

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

Result<Bytes> plain_bytes(const Side& side, std::size_t file, const Member& member) {
  auto plain = inflate_exactly(deflate_stream(side.files[file], member), member.plain_size);
  if (!plain) return fail(ErrorKind::internal, "a member that was found cannot be inflated");
  return *std::move(plain);
}

// By file and member; empty where it stays closed.
using Packings = std::vector<std::vector<std::optional<Packing>>>;

class Guesser {
 public:
  Guesser(const Side& side, const Found& found, double pack_rate, WorkerPool* workers,
          const StopToken& stop)
      : side_(side), found_(found), pack_rate_(pack_rate), workers_(workers), stop_(stop) {}

  Result<Packings> run() {
    packings_.resize(found_.size());
    tried_.resize(found_.size());
    SHOAL_TRY(for_each(workers_, found_.size(), [this](std::size_t i) { return try_file(i); }));
    std::vector<std::pair<std::size_t, std::size_t>> others;
    for (std::size_t file = 0; file < found_.size(); ++file) {
      if (tried_[file] == 0 || !packings_[file][tried_[file] - 1]) continue;
      for (std::size_t i = tried_[file]; i < found_[file].size(); ++i) others.emplace_back(file, i);
    }
    SHOAL_TRY(for_each(workers_, others.size(), [&](std::size_t n) {
      const auto [file, i] = others[n];
      return guess(file, i, packings_[file][tried_[file] - 1]->settings);
    }));
    return std::move(packings_);
  }

 private:
  // One after another until one can be made again: then the others probably can, by its settings.
  Result<void> try_file(std::size_t file) {
    packings_[file].resize(found_[file].size());
    for (std::size_t& i = tried_[file]; i < std::min(kTries, found_[file].size());) {
      SHOAL_TRY(guess(file, i, {}));
      if (packings_[file][i++]) return {};
    }
    return {};
  }

  Result<void> guess(std::size_t file, std::size_t i, const DeflateSettings& hint) {
    SHOAL_TRY(stop_.check());
    const Member& member = found_[file][i];
    // Large ones one at a time, for the memory that all workers together would need.
    std::unique_lock lock(large_, std::defer_lock);
    if (member.plain_size > kLargeBytes) lock.lock();
    SHOAL_ASSIGN(const auto plain, plain_bytes(side_, file, member));
    packings_[file][i] = guess_packing(side_.files[file], member, plain, hint, pack_rate_);
    return {};
  }

  const Side& side_;
  const Found& found_;
  const double pack_rate_;
  WorkerPool* const workers_;
  const StopToken& stop_;
  std::mutex large_;
  Packings packings_;
  std::vector<std::size_t> tried_;  // members of each file; only the last one can be made again
};

// Those with a packing, if packings are given; as many as the memory takes.
Result<void> open(Side& side, const Found& found, const Packings* packings,
                  std::uint64_t memory_bytes, const StopToken& stop) {
  for (std::size_t file = 0; file < found.size(); ++file) {
    for (std::size_t i = 0; i < found[file].size(); ++i) {
      SHOAL_TRY(stop.check());
      const Member& member = found[file][i];
      if (member.plain_size > memory_bytes) continue;
      if (packings != nullptr && !(*packings)[file][i]) continue;
      memory_bytes -= member.plain_size;
      SHOAL_ASSIGN(auto plain, plain_bytes(side, file, member));
      const Packing packing = packings == nullptr ? Packing{} : *(*packings)[file][i];
      SHOAL_TRY(side.open({file, member, std::move(plain), packing}));
    }
  }
  return {};
}

}  // namespace

Result<void> open_members(Side& old, Side& fresh, const EqualFiles& equal,
                          const MemberOptions& options, WorkerPool* workers,
                          const StopToken& stop) {
  std::vector<bool> old_stays(old.tree_files), new_stays(fresh.tree_files);
  for (std::size_t i = 0; i < equal.size(); ++i) {
    new_stays[i] = equal[i].has_value();
    if (equal[i]) old_stays[*equal[i]] = true;
  }
  SHOAL_ASSIGN(auto new_found, find(fresh, new_stays, workers, stop));
  if (std::ranges::all_of(new_found, [](const auto& one) { return one.empty(); })) return {};
  SHOAL_ASSIGN(auto old_found, find(old, old_stays, workers, stop));
  drop_common(old, old_found, fresh, new_found);
  SHOAL_ASSIGN(const auto packings,
               Guesser(fresh, new_found, options.pack_rate, workers, stop).run());
  SHOAL_TRY(open(fresh, new_found, &packings, options.memory_bytes, stop));
  if (fresh.members.empty()) return {};
  return open(old, old_found, nullptr, options.memory_bytes, stop);
}

}  // namespace shoal::delta
