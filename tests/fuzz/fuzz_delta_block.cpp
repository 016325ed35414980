// The blocks of a delta, decoded against five small old files, one of them a program, one a
// compressed member, one a member in PNG chunks and one a program for Windows: as they are, and
// with the six streams of one block taken apart, which no mutation of packed bytes would reach.
#include <algorithm>
#include <array>

#include "../unit/delta/samples.hpp"
#include "delta/block.hpp"
#include "delta/decode.hpp"
#include "delta/deflate.hpp"
#include "delta/png_chunks.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;

Bytes deflated(const Bytes& plain) {
  Bytes packed;
  delta::Deflater deflater({});
  fuzz::require(deflater
                    .add(plain, true,
                         [&](ByteView bytes) -> Result<void> {
                           packed.insert(packed.end(), bytes.begin(), bytes.end());
                           return {};
                         })
                    .has_value(),
                "what is compressed is there");
  return packed;
}

Bytes in_png_chunks(const Bytes& plain) {
  constexpr std::uint32_t kChunk = 8;
  Bytes stream = deflated(plain);
  stream.insert(stream.begin(), delta::kZlibHeaderBytes, std::uint8_t{0x78});
  stream.insert(stream.end(), delta::kZlibTrailerBytes, std::uint8_t{0});
  Bytes row;
  delta::PngRowWriter writer(
      kChunk, stream.size() + (stream.size() + kChunk - 1) / kChunk * delta::kPngChunkExtra);
  fuzz::require(writer.add(stream, row) && writer.is_whole(), "a row is made");
  return row;
}

const std::array<Bytes, 5>& delta_old_files() {
  static const std::array<Bytes, 5> files = [] {
    delta::test::Random random(1);
    const Bytes plain(1000, 'a');
    return std::array<Bytes, 5>{delta::test::random_bytes(random, 3000),
                                delta::test::Program(2, 12).link(12, 0), deflated(plain),
                                in_png_chunks(plain), delta::test::Program(2, 50).link_pe(50, 0)};
  }();
  return files;
}

void decode_delta(ByteView bytes, const std::vector<std::uint64_t>& new_sizes) {
  const auto& old = delta_old_files();
  const delta::MemorySource first(old[0]), second(old[1]), third(old[2]), fourth(old[3]),
      fifth(old[4]);
  std::vector<std::vector<bool>> made;
  made.reserve(new_sizes.size());
  for (const auto size : new_sizes) made.emplace_back(size);
  delta::DecodeOptions options;
  options.read = [&](MutableByteView out) -> Result<void> {
    if (out.size() > bytes.size()) return fail(ErrorKind::metadata_invalid, "cut off");
    std::copy_n(bytes.begin(), out.size(), out.begin());
    bytes = bytes.subspan(out.size());
    return {};
  };
  options.write = [&](std::size_t file, std::uint64_t offset, ByteView part) -> Result<void> {
    fuzz::require(
        file < made.size() && offset <= new_sizes[file] && part.size() <= new_sizes[file] - offset,
        "nothing is written beyond a new file");
    for (std::size_t i = 0; i < part.size(); ++i) {
      fuzz::require(!made[file][offset + i], "each byte is written once");
      made[file][offset + i] = true;
    }
    return {};
  };
  if (!delta::decode({&first, &second, &third, &fourth, &fifth}, new_sizes, options)) return;
  for (const auto& file : made)
    fuzz::require(std::ranges::all_of(file, [](bool byte) { return byte; }),
                  "a success made every byte");
}

// Seven numbers of two bytes, little endian: how many new bytes there are, how long streams 1 to 5
// are, and the new file. The streams follow, and the plan is the rest.
void decode_streams(ByteView bytes) {
  constexpr std::size_t kNumbers = delta::kStreamCount + 1;
  if (bytes.size() < 2 * kNumbers) return;
  const auto number = [&](std::size_t i) -> std::size_t {
    return bytes[2 * i] | (static_cast<std::size_t>(bytes[2 * i + 1]) << 8);
  };
  ByteView rest = bytes.subspan(2 * kNumbers);
  std::array<delta::PackedStream, delta::kStreamCount> streams;
  for (std::size_t i = 1; i <= delta::kStreamCount; ++i) {
    const std::size_t size =
        i == delta::kStreamCount ? rest.size() : std::min(number(i), rest.size());
    const ByteView part = rest.first(size);
    streams[i % delta::kStreamCount] = {delta::kStored, size, Bytes(part.begin(), part.end())};
    rest = rest.subspan(size);
  }
  decode_delta(delta::format_block(number(0), streams), {number(kNumbers - 1)});
}

}  // namespace

SHOAL_FUZZER(delta_block) {
  decode_delta(bytes, {2000, 6000});
  decode_streams(bytes);
}
