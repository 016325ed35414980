// Mask, match, plan parts, then window by window: predict as the decoder will, and write down what
// is different. Programs are predicted twice: the first time shows which addresses need a fix.
#include "delta/encode.hpp"

#include <algorithm>
#include <map>

#include "delta/address_fixes.hpp"
#include "delta/block.hpp"
#include "delta/mask.hpp"
#include "delta/match.hpp"
#include "delta/match_groups.hpp"
#include "delta/window_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kMinCover = 8;                // shorter ones cost more than they save
constexpr std::uint64_t kSuffixCost = 5;              // bytes for each that a suffix array is of
constexpr std::uint64_t kMinProgramBytes = 4 * 1024;  // covered by an old program, to translate it

// A tree's files, and what is known of them.
struct Side {
  const std::vector<ByteView>& files;
  std::vector<MemorySource> sources;
  std::vector<std::shared_ptr<const ReferenceFinder>> finders;
  std::vector<std::uint64_t> starts;  // of each file, one after another, and the end

  bool is_program(std::size_t file) const { return !finders[file]->layout().empty(); }
};

Result<Side> look_at(const std::vector<ByteView>& files, const StopToken& stop) {
  Side side{files, {}, {}, {0}};
  for (const auto& file : files) side.sources.emplace_back(file);
  for (std::size_t i = 0; i < files.size(); ++i) {
    SHOAL_TRY(stop.check());
    SHOAL_ASSIGN(auto layout, read_layout(side.sources[i]));
    SHOAL_ASSIGN(auto finder, ReferenceFinder::make(side.sources[i], std::move(layout)));
    side.finders.push_back(std::make_shared<ReferenceFinder>(std::move(finder)));
    side.starts.push_back(side.starts.back() + files[i].size());
  }
  return side;
}

// Programs, and objects and others whose references are not known.
bool is_elf(ByteView file) {
  constexpr std::string_view kMagic = "\177ELF";
  return as_text(file.first(std::min(file.size(), kMagic.size()))) == kMagic;
}

void add_units(const Side& side, std::size_t file, std::vector<Unit>& units) {
  const std::uint64_t size = side.files[file].size();
  const std::uint64_t most = side.is_program(file) ? size : kMaxPartBytes;
  for (std::uint64_t at = 0; at < size; at += most) {
    units.push_back({file, at, std::min(most, size - at)});
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

Result<Masked> mask(const Side& side, const std::vector<Unit>& units, const StopToken& stop) {
  Masked masked;
  std::uint64_t size = 0;
  for (const auto& unit : units) size += unit.size;
  masked.bytes.reserve(size);
  for (const auto& unit : units) {
    SHOAL_TRY(stop.check());
    const bool program = side.is_program(unit.file);
    masked.spans.push_back({masked.bytes.size(), unit.size, is_elf(side.files[unit.file])});
    masked.positions.push_back(side.starts[unit.file] + unit.offset);
    const auto plain = side.files[unit.file].subspan(unit.offset, unit.size);
    if (program) {
      SHOAL_ASSIGN(const auto bytes, mask_references(plain, *side.finders[unit.file]));
      masked.bytes.insert(masked.bytes.end(), bytes.begin(), bytes.end());
    } else {
      masked.bytes.insert(masked.bytes.end(), plain.begin(), plain.end());
    }
  }
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

// Covers of all new files, in order. Files that stay as they are cost no search, and their old
// bytes are not searched either.
Result<std::vector<Cover>> find_covers(const Side& old, const Side& fresh,
                                       const EncodeOptions& options) {
  std::vector<Cover> covers;
  std::vector<bool> same(old.files.size());
  std::vector<Unit> old_units, new_units;
  const auto equal = equal_files(old.files, fresh.files);
  for (std::size_t i = 0; i < equal.size(); ++i) {
    if (!equal[i]) {
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
  const auto groups =
      group_units(old.files, old_units, fresh.files, new_units, options.memory_bytes / 2);
  for (const auto& group : groups) {
    SHOAL_ASSIGN(const auto old_masked, mask(old, group.old_units, options.stop));
    SHOAL_ASSIGN(const auto new_masked, mask(fresh, group.new_units, options.stop));
    const MatchOptions limits{options.memory_bytes / 2 / kSuffixCost};
    SHOAL_ASSIGN(const auto found,
                 match(old_masked.bytes, new_masked.bytes, new_masked.spans, limits, options.stop));
    add_covers(found, old_masked, new_masked, covers);
  }
  std::ranges::sort(covers, {}, &Cover::new_begin);
  return covers;
}

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
  SHOAL_ASSIGN(auto covers, find_covers(old, fresh, options));
  return Encoder(old, fresh, new_files, std::move(covers), options).run();
}

}  // namespace shoal::delta
