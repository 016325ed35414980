// A zlib header tells the window and, in four classes, the level; all else is tried. Where the
// bytes repeat themselves closely, as in images, the highest levels take seconds for a megabyte:
// whoever applies the delta would wait longer than for the member itself.
#include "delta/guess_packing.hpp"

#include <time.h>

#include <algorithm>
#include <limits>

#include "delta/member_writer.hpp"

namespace shoal::delta {
namespace {

constexpr double kPatience = 4;  // wrong guesses may take so many times what a right one may
constexpr double kSetUp = 0.01;  // seconds that any member may take, so that small ones never fail

// Of this thread, so that what runs beside it counts little.
double processor_seconds() {
  ::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// That zlib's deflateInit2 would have written this header for (RFC 1950, FLEVEL), the likely first.
std::vector<std::uint8_t> levels_of(std::uint16_t zlib_header) {
  if (zlib_header == 0) return {6, 9, 5, 7, 8, 4, 3, 2, 1};
  switch (zlib_header >> 6 & 3) {
    case 0:
      return {1};
    case 1:
      return {5, 4, 3, 2};
    case 2:
      return {6};
    default:
      return {9, 8, 7};
  }
}

// In the order in which they are worth trying.
std::vector<DeflateSettings> guesses(const Member& member, const DeflateSettings& hint) {
  constexpr std::uint8_t kUsual = 0, kFiltered = 1, kHuffmanOnly = 2, kRuns = 3;
  const unsigned header = member.zlib_header;
  // By the header's upper bits, how far back it looks; zlib cannot do 8, and means 9.
  const auto window =
      static_cast<std::uint8_t>(header == 0 ? 15U : std::max(9U, (header >> 12) + 8U));
  std::vector<DeflateSettings> settings = {{hint.level, hint.memory_level, window, hint.strategy}};
  for (const auto strategy : {kUsual, kFiltered}) {  // the second for PNG files
    for (const std::uint8_t memory : {8, 9}) {
      for (const auto level : levels_of(member.zlib_header)) {
        settings.push_back({level, memory, window, strategy});
      }
    }
  }
  for (const auto strategy : {kHuffmanOnly, kRuns}) {  // which look at no level
    for (const std::uint8_t memory : {8, 9}) settings.push_back({6, memory, window, strategy});
  }
  return settings;
}

// True: the decoder will make these bytes of the file, before the processor's time is `until`.
bool makes(const Packing& packing, ByteView plain, ByteView packed, double until) {
  constexpr std::size_t kAtOnce = 64 << 10;  // most wrong settings are found out in the first
  MemberWriter writer(packing);
  const auto as_expected = [&](std::uint64_t at, ByteView bytes) -> Result<void> {
    if (std::ranges::equal(bytes, packed.subspan(at, bytes.size()))) return {};
    return fail(ErrorKind::conflict, "other bytes");
  };
  while (!plain.empty()) {
    const ByteView now = plain.first(std::min(plain.size(), kAtOnce));
    plain = plain.subspan(now.size());
    if (!writer.add(now, plain.empty(), as_expected)) return false;
    if (processor_seconds() > until) return false;
  }
  return true;
}

}  // namespace

std::optional<Packing> guess_packing(ByteView file, const Member& member, ByteView plain,
                                     const DeflateSettings& hint, double pack_rate) {
  if (member.in_png && member.png_chunk == 0) return std::nullopt;
  const auto packed = file.subspan(member.offset, member.packed_size);
  const double allowed = pack_rate > 0 ? kSetUp + static_cast<double>(packed.size()) / pack_rate
                                       : std::numeric_limits<double>::infinity();
  const double end = processor_seconds() + kPatience * allowed;
  for (const auto& settings : guesses(member, hint)) {
    const double now = processor_seconds();
    if (now > end) return std::nullopt;
    Packing packing{settings, member.packed_size};
    if (member.in_png) {
      packing.png_chunk = member.png_chunk;
      packing.zlib_header = member.zlib_header;
    }
    if (makes(packing, plain, packed, now + allowed)) return packing;
  }
  return std::nullopt;
}

}  // namespace shoal::delta
