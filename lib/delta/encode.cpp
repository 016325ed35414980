// Find covers, plan parts, then window by window: predict as the decoder will, and write down what
// is different. Programs are predicted twice: the first time shows which addresses need a fix.
#include "delta/encode.hpp"

#include <algorithm>
#include <map>

#include "base/worker_pool.hpp"
#include "delta/address_fixes.hpp"
#include "delta/block.hpp"
#include "delta/find_covers.hpp"
#include "delta/open_members.hpp"
#include "delta/window_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMembersShare = 8;  // of the memory, for the opened members of each side
constexpr std::size_t kMaxWaiting = 7;      // blocks kept while another is made: about 4 MiB each
constexpr std::uint64_t kMinProgramBytes = 4 * 1024;  // covered by an old program, to translate it

std::uint64_t opened_bytes(const Side& side) {
  return side.starts.back() - side.starts[side.tree_files];
}

class Encoder {
 public:
  Encoder(const Side& old, const Side& fresh, std::vector<Cover> covers,
          const EncodeOptions& options)
      : old_(old),
        fresh_(fresh),
        covers_(std::move(covers)),
        space_(pointers(old)),
        options_(options) {}

  Result<EncodeStatistics> run() {
    for (std::size_t file = 0; file < fresh_.tree_files; ++file) SHOAL_TRY(write_file(file));
    SHOAL_TRY(end_block());
    SHOAL_TRY(pack_blocks());
    statistics_.files = costs_.take();
    return statistics_;
  }

 private:
  // Of the tree's files; opened members are put behind them part by part.
  static std::vector<const ByteSource*> pointers(const Side& side) {
    std::vector<const ByteSource*> sources;
    sources.reserve(side.tree_files);
    for (std::size_t i = 0; i < side.tree_files; ++i) sources.push_back(&side.sources[i]);
    return sources;
  }

  // Opened members and the stretches between them, in order.
  Result<void> write_file(std::size_t file) {
    std::uint64_t at = 0;
    for (; next_member_ < fresh_.members.size() && fresh_.members[next_member_].file == file;
         ++next_member_) {
      const Member& member = fresh_.members[next_member_].member;
      SHOAL_TRY(write_stretch(file, at, member.offset));
      SHOAL_TRY(write_member(next_member_));
      at = member.end();
    }
    return write_stretch(file, at, fresh_.files[file].size());
  }

  Result<void> write_stretch(std::size_t file, std::uint64_t offset, std::uint64_t end) {
    while (offset < end) {
      Part part = plan_part(file, offset, end);
      const auto is = fresh_.files[file].subspan(offset, part.size);
      SHOAL_TRY(learn_fixes(part, is));
      SHOAL_TRY(write(part, space_, is));
      offset += part.size;
    }
    return {};
  }

  Result<void> write_member(std::size_t number) {
    const auto& opened = fresh_.members[number];
    const std::size_t plain_file = fresh_.tree_files + number;
    Part part;
    part.file = opened.file;
    part.file_offset = opened.member.offset;
    part.size = opened.member.plain_size;
    part.packing = {opened.settings, opened.member.packed_size};
    take_covers(part, fresh_.starts[plain_file], false);
    const auto sources = choose_members(part);
    ++statistics_.members;
    return write(part, OldSpace(space_, sources), opened.plain);
  }

  // The old members that make most of the part, within the decoder's limits. Covers from others are
  // dropped; positions in the chosen ones are made the part's.
  std::vector<const ByteSource*> choose_members(Part& part) const {
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
      const auto& [file, member, content, settings] = old_.members[number];
      if (part.members.size() == kMaxPartMembers) break;
      if (plain + member.plain_size > kMaxMemberBytes) continue;
      start_of[number] = space_.size() + plain;
      plain += member.plain_size;
      part.members.push_back({file, member.offset, member.packed_size, member.plain_size});
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
  std::optional<std::size_t> member_at(std::uint64_t old_position) const {
    if (old_position < space_.size()) return std::nullopt;
    const auto after = std::ranges::upper_bound(old_.starts, old_position);
    return static_cast<std::size_t>(after - old_.starts.begin()) - 1 - old_.tree_files;
  }

  // The next part of the stretch: whole, if it is a program; otherwise up to the limits.
  Part plan_part(std::size_t file, std::uint64_t offset, std::uint64_t end) const {
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

  // The covers of the new bytes from `begin` on. Too many: the part ends, or does without.
  void take_covers(Part& part, std::uint64_t begin, bool may_end) const {
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

  void choose_programs(Part& part) const {
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

  Result<void> learn_fixes(Part& part, ByteView actual) const {
    if (part.programs.empty()) return {};
    std::vector<FixLearner> learners(part.programs.size());
    {
      const Predictor predictor(space_, part);
      Predictor::Window window;
      std::vector<Predictor::ReferenceOrigin> origins;
      for (std::uint64_t at = 0; at < part.size; at += kWindowBytes) {
        SHOAL_TRY(options_.stop.check());
        const std::uint64_t size = window_size(part, at);
        SHOAL_TRY(predictor.predict(at, size, window, &origins));
        const auto is = actual.subspan(at, size);
        for (std::size_t i = 0; i < origins.size(); ++i) {
          const auto& reference = window.references[i];
          learners[origins[i].program].see(
              origins[i], load_value(window.bytes.data() + reference.begin, reference.width),
              load_value(is.data() + reference.begin, reference.width));
        }
      }
    }
    for (std::size_t i = 0; i < learners.size(); ++i) {
      auto& program = part.programs[i];
      program.fixes = learners[i].fixes(program.finder->layout().addresses);
    }
    return {};
  }

  Result<void> write(const Part& part, const OldSpace& space, ByteView actual) {
    write_part(plan_, part);
    statistics_.covers += part.covers.size();
    costs_.part(part, space);
    const Predictor predictor(space, part);
    Predictor::Window window;
    for (std::uint64_t at = 0; at < part.size; at += kWindowBytes) {
      SHOAL_TRY(options_.stop.check());
      const std::uint64_t size = window_size(part, at);
      SHOAL_TRY(predictor.predict(at, size, window));
      const auto before = sizes();
      const auto is = actual.subspan(at, size);
      write_window(window, is, streams_);
      const auto after = sizes();
      for (std::size_t i = 1; i < kStreamCount; ++i) plan_.varint(after[i] - before[i]);
      count(window, is, before, after);
      block_new_bytes_ += size;
      // A member counts as what it takes in its file, when it is done.
      const bool last = at + size == part.size;
      const std::uint64_t in_file = !part.packing ? size : last ? part.file_size() : 0;
      costs_.window(part.file, in_file, block_size());
      done_ += in_file;
      if (options_.progress) options_.progress(done_);
      if (block_size() >= kBlockTargetBytes) SHOAL_TRY(end_block());
    }
    return {};
  }

  std::array<std::uint64_t, kStreamCount> sizes() const {
    std::array<std::uint64_t, kStreamCount> sizes{};
    for (std::size_t i = 0; i < kStreamCount; ++i) sizes[i] = streams_[i].size();
    return sizes;
  }

  void count(const Predictor::Window& window, ByteView is,
             const std::array<std::uint64_t, kStreamCount>& before,
             const std::array<std::uint64_t, kStreamCount>& after) {
    const auto grew = [&](Stream which) {
      return after[static_cast<std::size_t>(which)] - before[static_cast<std::size_t>(which)];
    };
    std::uint64_t references = 0;
    for (const auto& reference : window.references) {
      references += reference.width;
      const std::uint64_t at = reference.begin;
      if (!std::equal(window.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      window.bytes.begin() + static_cast<std::ptrdiff_t>(at + reference.width),
                      is.begin() + static_cast<std::ptrdiff_t>(at))) {
        ++statistics_.wrong_references;
      }
    }
    statistics_.literal_bytes += grew(Stream::literals);
    statistics_.difference_bytes += grew(Stream::difference_values);
    statistics_.reference_bytes += references;
    statistics_.equal_bytes +=
        is.size() - grew(Stream::literals) - grew(Stream::difference_values) - references;
  }

  std::uint64_t block_size() const {
    std::uint64_t size = 0;
    for (const auto& one : streams_) size += one.size();
    return size;
  }

  Result<void> end_block() {
    if (block_new_bytes_ == 0) return {};
    stream(streams_, Stream::plan) = plan_.take();
    costs_.end_block();
    ended_.push_back({block_new_bytes_, std::move(streams_)});
    plan_ = {};
    streams_ = {};
    block_new_bytes_ = 0;
    const std::size_t workers = options_.workers == nullptr ? 0 : options_.workers->size();
    return ended_.size() <= std::min(workers, kMaxWaiting) ? Result<void>() : pack_blocks();
  }

  // Several at once: one stream of a block is often larger than all others together.
  Result<void> pack_blocks() {
    SHOAL_TRY(options_.stop.check());
    std::vector<ByteView> plain;
    for (const auto& block : ended_) {
      plain.insert(plain.end(), block.streams.begin(), block.streams.end());
    }
    auto packed = pack_streams(plain, options_.workers);
    for (std::size_t i = 0; i < ended_.size(); ++i) {
      std::array<PackedStream, kStreamCount> streams;
      std::move(packed.begin() + static_cast<std::ptrdiff_t>(i * kStreamCount),
                packed.begin() + static_cast<std::ptrdiff_t>((i + 1) * kStreamCount),
                streams.begin());
      SHOAL_TRY(write_block(ended_[i].new_bytes, streams));
    }
    ended_.clear();
    return {};
  }

  Result<void> write_block(std::uint64_t new_bytes,
                           const std::array<PackedStream, kStreamCount>& streams) {
    for (std::size_t i = 0; i < kStreamCount; ++i) {
      statistics_.stream_bytes[i] += streams[i].bytes.size();
    }
    const Bytes block = format_block(new_bytes, streams);
    statistics_.delta_bytes += block.size();
    costs_.block(block.size());
    return options_.write(block);
  }

  const Side& old_;
  const Side& fresh_;
  const std::vector<Cover> covers_;
  const OldSpace space_;
  const EncodeOptions& options_;
  std::size_t next_member_ = 0;
  content::ByteWriter plan_;
  Streams streams_;
  std::uint64_t block_new_bytes_ = 0;
  struct Ended {
    std::uint64_t new_bytes;
    Streams streams;
  };
  std::vector<Ended> ended_;  // blocks not packed yet
  EncodeStatistics statistics_;
  FileCosts costs_;
  std::uint64_t done_ = 0;  // new bytes
};

}  // namespace

Result<EncodeStatistics> encode(const std::vector<ByteView>& old_files,
                                const std::vector<ByteView>& new_files,
                                const EncodeOptions& options) {
  WorkerPool* const workers = options.workers;
  SHOAL_ASSIGN(auto old, look_at(old_files, workers, options.stop));
  SHOAL_ASSIGN(auto fresh, look_at(new_files, workers, options.stop));
  const auto equal = equal_files(old_files, new_files);
  SHOAL_TRY(
      open_members(old, fresh, equal, options.memory_bytes / kMembersShare, workers, options.stop));
  const std::uint64_t left = options.memory_bytes - opened_bytes(old) - opened_bytes(fresh);
  SHOAL_ASSIGN(auto covers, find_covers(old, fresh, equal, left, workers, options.stop));
  return Encoder(old, fresh, std::move(covers), options).run();
}

}  // namespace shoal::delta
