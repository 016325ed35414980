// Find covers, plan parts, then window by window: predict as the decoder will, and write down what
// is different. Programs are predicted twice: the first time shows which addresses need a fix.
#include "delta/encode.hpp"

#include <algorithm>
#include <map>

#include "delta/address_fixes.hpp"
#include "delta/block.hpp"
#include "delta/find_covers.hpp"
#include "delta/window_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMinProgramBytes = 4 * 1024;  // covered by an old program, to translate it

class Encoder {
 public:
  Encoder(const Side& old, const Side& fresh, const std::vector<ByteView>& new_files,
          std::vector<Cover> covers, const EncodeOptions& options)
      : old_(old),
        fresh_(fresh),
        new_files_(new_files),
        covers_(std::move(covers)),
        space_(pointers(old)),
        options_(options) {}

  Result<EncodeStatistics> run() {
    for (std::size_t file = 0; file < new_files_.size(); ++file) {
      std::uint64_t offset = 0;
      while (offset < new_files_[file].size()) {
        Part part = plan_part(file, offset);
        SHOAL_TRY(learn_fixes(part));
        SHOAL_TRY(write(part));
        offset += part.size;
      }
    }
    SHOAL_TRY(end_block());
    statistics_.files = costs_.take();
    return statistics_;
  }

 private:
  static std::vector<const ByteSource*> pointers(const Side& side) {
    std::vector<const ByteSource*> sources;
    sources.reserve(side.sources.size());
    for (const auto& source : side.sources) sources.push_back(&source);
    return sources;
  }

  // The next part of the file: whole, if it is a program; otherwise up to the limits.
  Part plan_part(std::size_t file, std::uint64_t offset) const {
    const std::uint64_t begin = fresh_.starts[file] + offset;
    const bool program = !fresh_.finders[file]->layout().empty();
    Part part;
    part.file = file;
    part.file_offset = offset;
    part.size = new_files_[file].size() - offset;
    if (!program) part.size = std::min(part.size, kMaxPartBytes);
    auto cover = std::ranges::lower_bound(covers_, begin, {}, &Cover::new_end);
    for (; cover != covers_.end() && cover->new_begin < begin + part.size; ++cover) {
      if (cover->new_end() <= begin) continue;
      if (part.covers.size() == kMaxPartCovers) {
        if (!program) part.size = cover->new_begin - begin;
        break;
      }
      const std::uint64_t skip = begin > cover->new_begin ? begin - cover->new_begin : 0;
      const std::uint64_t at = cover->new_begin + skip - begin;
      part.covers.push_back(
          {cover->old_begin + skip, at, std::min(cover->size - skip, part.size - at)});
    }
    if (program) choose_programs(part);
    return part;
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

  ByteView actual(const Part& part, std::uint64_t begin, std::uint64_t size) const {
    return new_files_[part.file].subspan(part.file_offset + begin, size);
  }

  Result<void> learn_fixes(Part& part) const {
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
        const auto is = actual(part, at, size);
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

  Result<void> write(const Part& part) {
    write_part(plan_, part);
    statistics_.covers += part.covers.size();
    costs_.part(part, space_);
    const Predictor predictor(space_, part);
    Predictor::Window window;
    for (std::uint64_t at = 0; at < part.size; at += kWindowBytes) {
      SHOAL_TRY(options_.stop.check());
      const std::uint64_t size = window_size(part, at);
      SHOAL_TRY(predictor.predict(at, size, window));
      const auto before = sizes();
      write_window(window, actual(part, at, size), streams_);
      const auto after = sizes();
      for (std::size_t i = 1; i < kStreamCount; ++i) plan_.varint(after[i] - before[i]);
      count(window, actual(part, at, size), before, after);
      block_new_bytes_ += size;
      costs_.window(part.file, size, block_size());
      done_ += size;
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
    std::array<PackedStream, kStreamCount> packed;
    for (std::size_t i = 0; i < kStreamCount; ++i) {
      packed[i] = pack_stream(streams_[i]);
      statistics_.stream_bytes[i] += packed[i].bytes.size();
    }
    const Bytes block = format_block(block_new_bytes_, packed);
    statistics_.delta_bytes += block.size();
    costs_.block(block.size());
    plan_ = {};
    streams_ = {};
    block_new_bytes_ = 0;
    return options_.write(block);
  }

  const Side& old_;
  const Side& fresh_;
  const std::vector<ByteView>& new_files_;
  const std::vector<Cover> covers_;
  const OldSpace space_;
  const EncodeOptions& options_;
  content::ByteWriter plan_;
  Streams streams_;
  std::uint64_t block_new_bytes_ = 0;
  EncodeStatistics statistics_;
  FileCosts costs_;
  std::uint64_t done_ = 0;  // new bytes
};

}  // namespace

Result<EncodeStatistics> encode(const std::vector<ByteView>& old_files,
                                const std::vector<ByteView>& new_files,
                                const EncodeOptions& options) {
  SHOAL_ASSIGN(const auto old, look_at(old_files, options.stop));
  SHOAL_ASSIGN(const auto fresh, look_at(new_files, options.stop));
  SHOAL_ASSIGN(auto covers, find_covers(old, fresh, options.memory_bytes, options.stop));
  return Encoder(old, fresh, new_files, std::move(covers), options).run();
}

}  // namespace shoal::delta
