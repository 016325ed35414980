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

  const auto written = content::make_torrent({torrent->name,
                                              torrent->image_size,
                                              torrent->piece_size,
                                              torrent->piece_hashes,
                                              {},
                                              torrent->trackers});
  const auto again = content::parse_torrent(written);
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(again->name == torrent->name && again->image_size == torrent->image_size &&
                    again->piece_size == torrent->piece_size &&
                    again->piece_hashes == torrent->piece_hashes &&
                    again->trackers == torrent->trackers,
                "and says the same");
}
