// A block: the unit in which a delta is compressed, and the most a decoder holds of it. Private to
// the codec. Layout: docs/formats/delta.md.
#pragma once

#include <cstdint>
#include <functional>

#include "content/byte_codec.hpp"
#include "delta/prediction.hpp"
#include "delta/streams.hpp"

namespace shoal::delta {

inline constexpr std::uint64_t kWindowBytes = 1 << 20;    // of new bytes; the last one is shorter
inline constexpr std::uint64_t kMaxPartBytes = 64 << 20;  // of a file without programs
inline constexpr std::size_t kMaxPartCovers = 1 << 17;    // 3 MiB in the decoder
inline constexpr std::size_t kMaxPartPrograms = 4;
// Of a compressed member, packed or plain, and of what all old ones that it is made from hold.
inline constexpr std::uint64_t kMaxMemberBytes = 64 << 20;
inline constexpr std::size_t kMaxPartMembers = 16;
inline constexpr std::size_t kMaxFixes = 1 << 16;            // of one program
inline constexpr std::uint64_t kBlockTargetBytes = 3 << 20;  // an encoder ends a block here …
inline constexpr std::uint64_t kMaxBlockBytes = 16 << 20;    // … and a decoder takes no larger one
inline constexpr std::size_t kBlockHeaderBytes = 8 + kStreamCount * 9;

// Windows end where their part ends, and at whole multiples of kWindowBytes in it.
inline std::uint64_t window_size(const Part& part, std::uint64_t begin) {
  return std::min(kWindowBytes, part.size - begin);
}

struct BlockHeader {
  std::uint64_t new_bytes = 0;  // made by this block
  struct Entry {
    std::uint8_t method = 0;
    std::uint32_t plain_size = 0;
    std::uint32_t packed_size = 0;
  };
  std::array<Entry, kStreamCount> streams;
};

Bytes format_block(std::uint64_t new_bytes, const std::array<PackedStream, kStreamCount>& streams);
// Errors: metadata_invalid; too_large beyond kMaxBlockBytes.
Result<BlockHeader> parse_block_header(ByteView bytes);

// A part's record in the plan.
void write_part(content::ByteWriter& plan, const Part& part);
// What a record may say is checked against these; `finder_of` gives an old file's finder.
struct PartContext {
  const OldSpace& old;
  std::size_t file = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t rest = 0;  // of the file, from file_offset on
  std::function<Result<std::shared_ptr<const ReferenceFinder>>(std::size_t)> finder_of;
};
// Errors: metadata_invalid, and finder_of's.
Result<Part> read_part(content::ByteReader& plan, const PartContext& context);

}  // namespace shoal::delta
