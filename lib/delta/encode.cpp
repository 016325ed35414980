// Find covers, plan parts, then window by window: predict as the decoder will, and write down what
// is different. Programs are predicted twice: the first time shows which addresses need a fix.
#include "delta/encode.hpp"

#include <algorithm>

#include "base/worker_pool.hpp"
#include "delta/address_fixes.hpp"
#include "delta/block.hpp"
#include "delta/find_covers.hpp"
#include "delta/open_members.hpp"
#include "delta/plan_parts.hpp"
#include "delta/window_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMembersShare = 8;  // of the memory, for the opened members of each side
constexpr std::size_t kMaxWaiting = 7;      // blocks kept while another is made: about 4 MiB each

std::uint64_t opened_bytes(const Side& side) {
  return side.starts.back() - side.starts[side.tree_files];
}

class Encoder {
 public:
  Encoder(const Side& old, const Side& fresh, std::vector<Cover> covers,
          const EncodeOptions& options)
      : fresh_(fresh), planner_(old, fresh, std::move(covers)), options_(options) {}

  Result<EncodeStatistics> run() {
    for (std::size_t file = 0; file < fresh_.tree_files; ++file) SHOAL_TRY(write_file(file));
    SHOAL_TRY(end_block());
    SHOAL_TRY(pack_blocks());
    statistics_.files = costs_.take();
    return statistics_;
  }

 private:
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
      Part part = planner_.next_part(file, offset, end);
      const auto is = fresh_.files[file].subspan(offset, part.size);
      SHOAL_TRY(learn_fixes(part, is));
      SHOAL_TRY(write(part, planner_.space(), is));
      offset += part.size;
    }
    return {};
  }

  Result<void> write_member(std::size_t number) {
    const auto planned = planner_.member_part(number);
    ++statistics_.members;
    return write(planned.part, planned.space, fresh_.members[number].plain);
  }

  Result<void> learn_fixes(Part& part, ByteView actual) const {
    if (part.programs.empty()) return {};
    std::vector<FixLearner> learners(part.programs.size());
    {
      const Predictor predictor(planner_.space(), part);
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
      // The plan packs well and is no reason to cut streams, before it comes near the limit.
      const bool full = block_size() - plan_.size() >= kBlockTargetBytes;
      if (full || block_size() >= kMaxBlockBytes / 2) SHOAL_TRY(end_block());
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
    std::uint64_t size = plan_.size();
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

  const Side& fresh_;
  const PartPlanner planner_;
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
  SHOAL_TRY(open_members(old, fresh, equal,
                         {options.memory_bytes / kMembersShare, options.pack_rate}, workers,
                         options.stop));
  const std::uint64_t left = options.memory_bytes - opened_bytes(old) - opened_bytes(fresh);
  SHOAL_ASSIGN(auto covers, find_covers(old, fresh, equal, left, workers, options.stop));
  return Encoder(old, fresh, std::move(covers), options).run();
}

}  // namespace shoal::delta
