// The image: the virtual byte sequence in which every non-empty file of a component has its place
// (design, section 4). Layout for the publisher, and the map from image ranges to files for all.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "content/manifest.hpp"

namespace shoal::content {

// The piece size for a tree of that many bytes: about 4,096 pieces, within 64 KiB … 4 MiB.
std::uint32_t choose_piece_size(std::uint64_t total_bytes);

// Assigns each file's offset (files sorted by path) and returns the image size.
std::uint64_t lay_out(std::span<FileEntry> files, std::uint32_t piece_size);

// A run of bytes of one file within an image range.
struct Extent {
  FileIndex file;
  std::uint64_t file_offset = 0;
  std::uint64_t image_offset = 0;
  std::uint64_t length = 0;
};

// Immutable after construction; thread-safe.
class ImageMap {
 public:
  explicit ImageMap(const Component& component);

  // The extents that intersect [offset, offset+length), in image order; what lies between is gap.
  std::vector<Extent> extents(std::uint64_t offset, std::uint64_t length) const;
  std::uint32_t piece_size() const { return piece_size_; }
  std::uint32_t piece_count() const { return piece_count_; }
  std::uint32_t blocks_per_piece() const { return piece_size_ / kBlockSize; }
  // True when no file has a byte in this 16 KiB block: known to everyone, never transferred.
  bool is_gap_block(std::uint64_t block) const;
  // Bytes of files in the piece (piece size less its gaps).
  std::uint64_t payload_bytes(PieceIndex piece) const;
  // First and last piece that a file touches; only for non-empty files.
  std::pair<PieceIndex, PieceIndex> pieces_of(FileIndex file) const;

 private:
  struct Placed {
    std::uint64_t offset;
    std::uint64_t size;
    FileIndex file;
  };
  // Index into by_offset_ of the first file that has a byte at or after the offset.
  std::size_t first_reaching_past(std::uint64_t offset) const;

  std::vector<Placed> by_offset_;  // non-empty files only
  std::vector<std::uint64_t> offset_of_file_;
  std::vector<std::uint64_t> size_of_file_;
  std::uint32_t piece_size_ = 0;
  std::uint32_t piece_count_ = 0;
};

}  // namespace shoal::content
