// Layout: large files begin on piece boundaries; small ones are packed, in path order, into groups
// that begin on one. Where a group ends depends on nothing but the path and size of the file that
// would come next, so a tree with one file more or less differs in one group and nowhere else.
#include "content/image.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace shoal::content {
namespace {

constexpr std::uint64_t kPiecesAimedAt = 4096;  // torrents and indexes stay small, progress fine
constexpr std::uint32_t kSmallestChosenPiece = 64 * 1024;
constexpr std::uint32_t kLargestChosenPiece = 4 << 20;
constexpr unsigned kLog2GroupPieces = 3;  // groups average 8 pieces: ~6 % lost to their ends' gaps

std::uint64_t align_up(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// Whether a new group begins with this small file: true with probability
// size / (8 pieces), decided by the first eight bytes of the path's SHA-256 as a big-endian number.
bool begins_group(const FileEntry& file, std::uint32_t piece_size) {
  Digest digest = sha256(as_bytes(file.path.text()));
  std::uint64_t draw = 0;
  for (int i = 0; i < 8; ++i) draw = draw << 8 | digest.bytes[static_cast<std::size_t>(i)];
  unsigned log2_group = static_cast<unsigned>(std::countr_zero(piece_size)) + kLog2GroupPieces;
  return draw < file.size << (64 - log2_group);  // size < piece/2: cannot overflow
}

}  // namespace

std::uint32_t choose_piece_size(std::uint64_t total_bytes) {
  std::uint32_t size = kSmallestChosenPiece;
  while (size < kLargestChosenPiece && total_bytes / size > kPiecesAimedAt) size *= 2;
  return size;
}

std::uint64_t lay_out(std::span<FileEntry> files, std::uint32_t piece_size) {
  assert(std::has_single_bit(piece_size) && piece_size >= kMinPieceSize &&
         piece_size <= kMaxPieceSize);
  std::uint64_t cursor = 0;
  bool in_group = false;
  for (FileEntry& file : files) {
    file.offset = 0;
    if (file.size == 0) continue;
    bool large = file.size >= piece_size / 2;
    if (large || !in_group || begins_group(file, piece_size)) cursor = align_up(cursor, piece_size);
    in_group = !large;
    file.offset = cursor;
    cursor += file.size;
  }
  return align_up(cursor, piece_size);
}

ImageMap::ImageMap(const Component& component)
    : piece_size_(component.content.piece_size), piece_count_(component.content.piece_count()) {
  offset_of_file_.reserve(component.files.size());
  size_of_file_.reserve(component.files.size());
  for (const FileEntry& file : component.files) {
    auto index = static_cast<std::uint32_t>(offset_of_file_.size());
    offset_of_file_.push_back(file.offset);
    size_of_file_.push_back(file.size);
    if (file.size > 0) by_offset_.push_back({file.offset, file.size, FileIndex(index)});
  }
  std::sort(by_offset_.begin(), by_offset_.end(),
            [](const Placed& a, const Placed& b) { return a.offset < b.offset; });
}

std::size_t ImageMap::first_reaching_past(std::uint64_t offset) const {
  // Files do not overlap, so their ends are in the order of their offsets.
  auto found = std::partition_point(by_offset_.begin(), by_offset_.end(),
                                    [&](const Placed& p) { return p.offset + p.size <= offset; });
  return static_cast<std::size_t>(found - by_offset_.begin());
}

std::vector<Extent> ImageMap::extents(std::uint64_t offset, std::uint64_t length) const {
  std::vector<Extent> found;
  std::uint64_t end = offset + length;
  for (std::size_t i = first_reaching_past(offset);
       i < by_offset_.size() && by_offset_[i].offset < end; ++i) {
    const Placed& placed = by_offset_[i];
    std::uint64_t from = std::max(offset, placed.offset);
    std::uint64_t to = std::min(end, placed.offset + placed.size);
    if (from < to) found.push_back({placed.file, from - placed.offset, from, to - from});
  }
  return found;
}

bool ImageMap::is_gap_block(std::uint64_t block) const {
  std::uint64_t offset = block * kBlockSize;
  std::size_t i = first_reaching_past(offset);
  return i == by_offset_.size() || by_offset_[i].offset >= offset + kBlockSize;
}

std::uint64_t ImageMap::payload_bytes(PieceIndex piece) const {
  std::uint64_t offset = std::uint64_t{piece.value()} * piece_size_;
  std::uint64_t end = offset + piece_size_;
  std::uint64_t sum = 0;
  for (std::size_t i = first_reaching_past(offset);
       i < by_offset_.size() && by_offset_[i].offset < end; ++i) {
    const Placed& placed = by_offset_[i];
    sum += std::min(end, placed.offset + placed.size) - std::max(offset, placed.offset);
  }
  return sum;
}

std::pair<PieceIndex, PieceIndex> ImageMap::pieces_of(FileIndex file) const {
  std::uint64_t offset = offset_of_file_[file.value()];
  std::uint64_t size = size_of_file_[file.value()];
  assert(size > 0);
  return {PieceIndex(static_cast<std::uint32_t>(offset / piece_size_)),
          PieceIndex(static_cast<std::uint32_t>((offset + size - 1) / piece_size_))};
}

}  // namespace shoal::content
