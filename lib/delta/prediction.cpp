// A window is walked cover by cover. Old bytes of a program are looked at in whole reference
// blocks, so that the same references are found wherever a window or a cover begins. They are read
// many blocks at once; where functions changed places, covers come back to the same blocks again
// and again, so what was found in one is remembered.
#include "delta/prediction.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace shoal::delta {
namespace {

constexpr std::uint64_t kBlock = ReferenceFinder::kBlockBytes;
constexpr std::uint64_t kReadBytes = 16 * kBlock;  // what stays in a processor's cache
constexpr std::uint64_t kSmallRead = 4 * 1024;     // of plain files: less is read with what follows

// The part's covers from that old file, in offsets of the two files.
std::vector<Cover> covers_from(const OldSpace& old, const Part& part, std::size_t file) {
  std::vector<Cover> covers;
  const std::uint64_t start = old.start(file);
  const std::uint64_t end = start + old.file(file).size();
  for (const auto& cover : part.covers) {
    if (cover.old_begin < start || cover.old_begin >= end) continue;
    covers.push_back({cover.old_begin - start, cover.new_begin + part.file_offset, cover.size});
  }
  return covers;
}

void add_run(std::vector<Predictor::Run>& runs, std::uint64_t begin, std::uint64_t end) {
  if (begin < end) {
    runs.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end - begin)});
  }
}

// A stretch of one old file, kept for the reads to come.
class ReadBuffer {
 public:
  // Bytes [begin, begin + size) of the file, valid until the next call; `wanted` ≥ size are read
  // when they are not there yet.
  Result<const std::uint8_t*> get(const ByteSource& file, std::uint64_t begin, std::uint64_t size,
                                  std::uint64_t wanted) {
    if (!has(file, begin, size)) {
      file_ = nullptr;
      bytes_.resize(std::min(wanted, file.size() - begin));
      SHOAL_TRY(file.read(begin, bytes_));
      file_ = &file;
      begin_ = begin;
    }
    return bytes_.data() + (begin - begin_);
  }
  // The same bytes, without what follows them: read into `out` when they are not there.
  Result<void> copy(const ByteSource& file, std::uint64_t begin, MutableByteView out) const {
    if (!has(file, begin, out.size())) return file.read(begin, out);
    std::memcpy(out.data(), bytes_.data() + (begin - begin_), out.size());
    return {};
  }

 private:
  bool has(const ByteSource& file, std::uint64_t begin, std::uint64_t size) const {
    return &file == file_ && begin >= begin_ && begin + size <= begin_ + bytes_.size();
  }

  const ByteSource* file_ = nullptr;
  std::uint64_t begin_ = 0;
  Bytes bytes_;
};

// The references of blocks that were scanned lately, four bytes for each: from the lowest bit on,
// its kind, its place in the block, and which of the block's bases is its own.
class ScannedBlocks {
 public:
  struct Block {
    const ByteSource* file = nullptr;
    std::uint64_t begin = 0;
    std::vector<std::uint64_t> bases;  // in order of the regions
    std::vector<std::uint32_t> references;

    // Those from `offset` in the file on.
    std::span<const std::uint32_t> from(std::uint64_t offset) const {
      const auto place = static_cast<std::uint32_t>(std::max(offset, begin) - begin);
      return {std::ranges::lower_bound(references, place, {}, place_of), references.end()};
    }
    Reference at(std::uint32_t packed) const {
      const auto kind = static_cast<ReferenceKind>(packed & kKindMask);
      const bool has_base = kind == ReferenceKind::from_region32;
      return {begin + place_of(packed), kind, has_base ? bases[packed >> kBaseShift] : 0};
    }
  };

  // Null: it has to be scanned.
  const Block* find(const ByteSource& file, std::uint64_t begin) const {
    const Block& block = blocks_[slot_of(begin)];
    return block.file == &file && block.begin == begin ? &block : nullptr;
  }
  // Valid until the next call.
  const Block& scan(const ReferenceFinder& finder, const ByteSource& file, std::uint64_t begin,
                    ByteView bytes) {
    Block& block = blocks_[slot_of(begin)];
    block.file = &file;
    block.begin = begin;
    block.bases.clear();
    block.references.clear();
    found_.clear();
    finder.find(begin / kBlock, bytes, found_);
    block.references.reserve(found_.size());
    for (const auto& [offset, kind, base] : found_) {
      std::uint32_t packed = static_cast<std::uint32_t>(offset - begin) << kPlaceShift;
      packed |= static_cast<std::uint32_t>(kind);
      if (kind == ReferenceKind::from_region32) {
        if (block.bases.empty() || block.bases.back() != base) block.bases.push_back(base);
        packed |= static_cast<std::uint32_t>(block.bases.size() - 1) << kBaseShift;
      }
      block.references.push_back(packed);
    }
    return block;
  }

 private:
  static constexpr std::size_t kSlots = 64;
  static constexpr unsigned kPlaceShift = 3, kBaseShift = 17;
  static constexpr std::uint32_t kKindMask = (1U << kPlaceShift) - 1;
  static_assert(kBlock == 1U << (kBaseShift - kPlaceShift));

  static std::uint32_t place_of(std::uint32_t packed) {
    return packed >> kPlaceShift & (kBlock - 1);
  }
  static std::size_t slot_of(std::uint64_t begin) { return begin / kBlock % kSlots; }

  std::array<Block, kSlots> blocks_;
  std::vector<Reference> found_;
};

// Addresses of the base of the region that references are relative to; a program has one at most.
std::uint64_t base_of(const ReferenceFinder& finder) {
  for (const auto& region : finder.layout().regions) {
    const bool relative =
        region.kind == RegionKind::unwind_index || region.kind == RegionKind::image_offsets;
    if (relative) return region.address;
  }
  return 0;
}

}  // namespace

Predictor::Predictor(const OldSpace& old, const Part& part) : old_(old), part_(part) {
  for (std::size_t i = 0; i < part.programs.size(); ++i) {
    const auto& program = part.programs[i];
    const auto covers = covers_from(old, part, program.file);
    auto known = std::make_unique<Program>(
        Program{i, old.start(program.file), *program.finder,
                AddressTranslation(program.finder->layout().addresses, part.new_addresses, covers,
                                   program.fixes),
                base_of(*program.finder), 0});
    known->new_base = known->translation.translate(known->old_base);
    programs_.push_back(std::move(known));
  }
}

const Predictor::Program* Predictor::program_of(std::size_t old_file) const {
  for (const auto& program : programs_) {
    if (part_.programs[program->index].file == old_file) return program.get();
  }
  return nullptr;
}

// What one window needs while it is walked.
class Predictor::Walk {
 public:
  Walk(const Predictor& predictor, std::uint64_t window_begin, Window& window,
       std::vector<ReferenceOrigin>* origins)
      : predictor_(predictor),
        part_(predictor.part_),
        window_begin_(window_begin),
        window_(window),
        origins_(origins) {}

  // The part of the cover that is in [begin, end) of the window's part.
  Result<void> cover(const Cover& cover, std::uint64_t begin, std::uint64_t end) {
    const OldSpace& old = predictor_.old_;
    const std::uint64_t position = cover.old_begin + (begin - cover.new_begin);
    const std::size_t file = old.file_at(position);
    const std::uint64_t offset = position - old.start(file);
    const std::uint64_t at = begin - window_begin_;
    if (const auto* from = predictor_.program_of(file)) {
      return program(*from, offset, at, end - begin);
    }
    add_run(window_.plain, at, at + (end - begin));
    return plain(old.file(file), offset, MutableByteView(window_.bytes).subspan(at, end - begin));
  }

 private:
  Result<void> plain(const ByteSource& file, std::uint64_t offset, MutableByteView out) {
    if (out.size() >= kSmallRead) return file.read(offset, out);
    SHOAL_ASSIGN(const auto* bytes, buffer_.get(file, offset, out.size(), kReadAround));
    std::memcpy(out.data(), bytes, out.size());
    return {};
  }

  // Block by block. `at`: in the window.
  Result<void> program(const Program& program, std::uint64_t old_begin, std::uint64_t at,
                       std::uint64_t size) {
    const ByteSource& file = predictor_.old_.file(part_.programs[program.index].file);
    const std::uint64_t old_end = old_begin + size;
    std::uint64_t plain_begin = at;
    for (std::uint64_t begin = old_begin / kBlock * kBlock; begin < old_end; begin += kBlock) {
      const std::uint64_t block_end = std::min(file.size(), begin + kBlock);
      const auto* block = scanned_.find(file, begin);
      if (block == nullptr) {
        const std::uint64_t ahead =
            std::min(kReadBytes, old_end - begin + kBlock) / kBlock * kBlock;
        SHOAL_ASSIGN(const auto* bytes, buffer_.get(file, begin, block_end - begin, ahead));
        block = &scanned_.scan(program.finder, file, begin, {bytes, block_end - begin});
      }
      const std::uint64_t from = std::max(begin, old_begin);
      const std::uint64_t to = std::min(block_end, old_end);
      SHOAL_TRY(buffer_.copy(
          file, from, MutableByteView(window_.bytes).subspan(at + (from - old_begin), to - from)));
      for (const auto packed : block->from(old_begin)) {
        const Reference reference = block->at(packed);
        if (reference.offset + reference.width() > old_end) break;
        const std::uint64_t in_window = at + (reference.offset - old_begin);
        if (!translate(program, reference, in_window)) continue;
        add_run(window_.plain, plain_begin, in_window);
        plain_begin = in_window + reference.width();
      }
    }
    add_run(window_.plain, plain_begin, at + size);
    return {};
  }

  // False: what has no address is not translated.
  bool translate(const Program& program, const Reference& reference, std::uint64_t at) {
    const auto address = part_.new_addresses.address_of(part_.file_offset + window_begin_ + at);
    if (!address && !is_number(reference.kind)) return false;
    const std::uint64_t new_here = address.value_or(0);
    const unsigned width = reference.width();
    std::uint8_t* bytes = window_.bytes.data() + at;
    const auto& addresses = program.finder.layout().addresses;
    const bool absolute = reference.kind == ReferenceKind::absolute64;
    const std::uint64_t old_here =
        absolute ? 0 : addresses.address_of(reference.offset).value_or(0);
    std::uint64_t new_base = 0;
    if (reference.kind == ReferenceKind::from_region32) {
      new_base = reference.base == program.old_base ? program.new_base
                                                    : program.translation.translate(reference.base);
    }
    const std::uint64_t old_target =
        reference_target(reference.kind, load_value(bytes, width), old_here, reference.base);
    const std::uint64_t target = program.translation.translate(old_target);
    store_value(bytes, reference_value(reference.kind, target, new_here, new_base), width);
    window_.references.push_back(
        {static_cast<std::uint32_t>(at), static_cast<std::uint8_t>(width)});
    if (origins_ != nullptr) {
      origins_->push_back({program.index, reference.kind, old_target, new_here, new_base});
    }
    return true;
  }

  const Predictor& predictor_;
  const Part& part_;
  const std::uint64_t window_begin_;
  Window& window_;
  std::vector<ReferenceOrigin>* const origins_;
  ReadBuffer buffer_;
  ScannedBlocks scanned_;
};

Result<void> Predictor::predict(std::uint64_t begin, std::uint64_t size, Window& window,
                                std::vector<ReferenceOrigin>* origins) const {
  window.bytes.resize(size);
  window.literals.clear();
  window.plain.clear();
  window.references.clear();
  if (origins != nullptr) origins->clear();
  Walk walk(*this, begin, window, origins);
  const std::uint64_t end = begin + size;
  auto cover = std::ranges::upper_bound(part_.covers, begin, {}, &Cover::new_begin);
  if (cover != part_.covers.begin()) --cover;
  std::uint64_t at = begin;
  for (; cover != part_.covers.end() && cover->new_begin < end; ++cover) {
    const std::uint64_t from = std::max(begin, cover->new_begin);
    const std::uint64_t to = std::min(end, cover->new_end());
    if (from >= to) continue;
    add_run(window.literals, at - begin, from - begin);
    SHOAL_TRY(walk.cover(*cover, from, to));
    at = to;
  }
  add_run(window.literals, at - begin, size);
  return {};
}

}  // namespace shoal::delta
