// A .torrent of ours, v2 or hybrid.
#include "content/torrent.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(torrent) {
  using namespace shoal;
  auto torrent = content::parse_torrent(bytes);
  if (!torrent) return;
  fuzz::require(torrent->piece_size > 0, "pieces have a size");
  auto pieces = (torrent->image_size + torrent->piece_size - 1) / torrent->piece_size;
  fuzz::require(torrent->piece_hashes.size() == pieces, "every piece has a hash");
}
