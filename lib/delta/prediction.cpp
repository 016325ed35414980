// A window is walked cover by cover. Old bytes of a program are read in whole reference blocks, so
// that the same references are found wherever a window or a cover begins.
#include "delta/prediction.hpp"

#include <algorithm>
#include <cstring>

namespace shoal::delta {
namespace {

constexpr std::uint64_t kBlock = ReferenceFinder::kBlockBytes;

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
  if (begin < end) runs.push_back({begin, end - begin});
}

}  // namespace

Predictor::Predictor(const OldSpace& old, const Part& part) : old_(old), part_(part) {
  for (std::size_t i = 0; i < part.programs.size(); ++i) {
    const auto& program = part.programs[i];
    const auto covers = covers_from(old, part, program.file);
    programs_.push_back(std::make_unique<Program>(
        Program{i, old.start(program.file), *program.finder,
                AddressTranslation(program.finder->layout().addresses, part.new_addresses, covers,
                                   program.fixes)}));
  }
}

const Predictor::Program* Predictor::program_of(std::size_t old_file) const {
  for (const auto& program : programs_) {
    if (part_.programs[program->index].file == old_file) return program.get();
  }
  return nullptr;
}

Result<Predictor::Window> Predictor::predict(std::uint64_t begin, std::uint64_t size) const {
  Window window;
  window.bytes.resize(size);
  const std::uint64_t end = begin + size;
  auto cover = std::ranges::upper_bound(part_.covers, begin, {}, &Cover::new_begin);
  if (cover != part_.covers.begin()) --cover;
  std::uint64_t at = begin;
  for (; cover != part_.covers.end() && cover->new_begin < end; ++cover) {
    const std::uint64_t from = std::max(begin, cover->new_begin);
    const std::uint64_t to = std::min(end, cover->new_end());
    if (from >= to) continue;
    add_run(window.literals, at - begin, from - begin);
    SHOAL_TRY(predict_cover(*cover, from, to, begin, window));
    at = to;
  }
  add_run(window.literals, at - begin, size);
  return window;
}

Result<void> Predictor::predict_cover(const Cover& cover, std::uint64_t begin, std::uint64_t end,
                                      std::uint64_t window_begin, Window& window) const {
  const std::uint64_t position = cover.old_begin + (begin - cover.new_begin);
  const std::size_t file = old_.file_at(position);
  const std::uint64_t offset = position - old_.start(file);
  if (const auto* program = program_of(file)) {
    return predict_program(*program, offset, begin, end - begin, window_begin, window);
  }
  add_run(window.plain, begin - window_begin, end - window_begin);
  return old_.file(file).read(
      offset, MutableByteView(window.bytes).subspan(begin - window_begin, end - begin));
}

Result<void> Predictor::predict_program(const Program& program, std::uint64_t old_begin,
                                        std::uint64_t new_begin, std::uint64_t size,
                                        std::uint64_t window_begin, Window& window) const {
  const ByteSource& file = old_.file(part_.programs[program.index].file);
  const std::uint64_t read_begin = old_begin / kBlock * kBlock;
  const std::uint64_t read_end =
      std::min(file.size(), (old_begin + size + kBlock - 1) / kBlock * kBlock);
  Bytes bytes(read_end - read_begin);
  SHOAL_TRY(file.read(read_begin, bytes));
  const std::uint64_t at = new_begin - window_begin;
  std::memcpy(window.bytes.data() + at, bytes.data() + (old_begin - read_begin), size);

  std::vector<Reference> references;
  for (std::uint64_t block = read_begin; block < read_end; block += kBlock) {
    const auto block_bytes =
        ByteView(bytes).subspan(block - read_begin, std::min(kBlock, read_end - block));
    program.finder.find(block / kBlock, block_bytes, references);
  }
  std::uint64_t plain_begin = at;
  for (const auto& reference : references) {
    if (reference.offset < old_begin) continue;
    if (reference.offset + reference.width() > old_begin + size) break;
    const std::uint64_t begin = at + (reference.offset - old_begin);
    const std::uint64_t new_offset = part_.file_offset + window_begin + begin;
    if (!part_.new_addresses.address_of(new_offset)) continue;
    add_run(window.plain, plain_begin, begin);
    predict_reference(program, reference, begin, window_begin, window);
    plain_begin = begin + reference.width();
  }
  add_run(window.plain, plain_begin, at + size);
  return {};
}

void Predictor::predict_reference(const Program& program, const Reference& reference,
                                  std::uint64_t begin, std::uint64_t window_begin,
                                  Window& window) const {
  const unsigned width = reference.width();
  std::uint8_t* bytes = window.bytes.data() + begin;
  const auto& addresses = program.finder.layout().addresses;
  const std::uint64_t old_here = addresses.address_of(reference.offset).value_or(0);
  PredictedReference predicted{begin, width, program.index, reference.kind, 0, 0, 0};
  predicted.old_target =
      reference_target(reference.kind, load_value(bytes, width), old_here, reference.base);
  predicted.new_here =
      part_.new_addresses.address_of(part_.file_offset + window_begin + begin).value_or(0);
  if (reference.kind == ReferenceKind::from_region32) {
    predicted.new_base = program.translation.translate(reference.base);
  }
  const std::uint64_t target = program.translation.translate(predicted.old_target);
  store_value(bytes,
              reference_value(reference.kind, target, predicted.new_here, predicted.new_base),
              width);
  window.references.push_back(predicted);
}

}  // namespace shoal::delta
