// A frame as a mirror sends it: the first two bytes say how it was announced, in the signed index.
#include "content/edge_index.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(zstd_frame) {
  using namespace shoal;
  if (bytes.size() < 2) return;
  auto stored = bytes.subspan(2);
  content::Frame frame{static_cast<std::uint32_t>(stored.size()), (bytes[0] & 1) != 0};
  Bytes plain((bytes[0] >> 1) * 512 + bytes[1]);
  static_cast<void>(content::decompress_frame(frame, stored, plain));
}
