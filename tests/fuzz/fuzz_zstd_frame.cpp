// A frame as a mirror sends it: the first two bytes say how it was announced, in the signed index.
#include "content/edge_index.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;

bool unpacks(bool compressed, ByteView stored, Bytes& plain) {
  const content::Frame frame{static_cast<std::uint32_t>(stored.size()), compressed};
  return content::decompress_frame(frame, stored, plain).has_value();
}

}  // namespace

SHOAL_FUZZER(zstd_frame) {
  if (bytes.size() < 2) return;
  const bool compressed = (bytes[0] & 1) != 0;
  const auto stored = bytes.subspan(2);
  Bytes plain((bytes[0] >> 1) * 512 + bytes[1], 0xA5);
  if (!unpacks(compressed, stored, plain)) return;

  Bytes over_others(plain.size(), 0x5A);
  fuzz::require(unpacks(compressed, stored, over_others) && over_others == plain,
                "all of the plain bytes come from the frame");
  Bytes longer(plain.size() + 1);
  fuzz::require(!unpacks(compressed, stored, longer), "no frame passes for a longer one");
  if (!plain.empty()) {
    Bytes shorter(plain.size() - 1);
    fuzz::require(!unpacks(compressed, stored, shorter), "no frame passes for a shorter one");
  }

  const auto again = content::compress_frame(plain, 0);
  Bytes back(plain.size());
  fuzz::require(unpacks(again.frame.compressed, again.bytes, back) && back == plain,
                "what was compressed reads back");
}
