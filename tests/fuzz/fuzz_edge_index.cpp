// The edge index: a signed target, but of a publisher who may be hostile to one client.
#include "content/edge_index.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(edge_index) {
  using namespace shoal;
  auto index = content::parse_edge_index(bytes);
  if (!index) return;
  for (const auto& piece : index->pieces) {
    fuzz::require(piece.bundle < index->bundles.size(), "a piece lies in a bundle that is named");
    fuzz::require(piece.offset + piece.stored_bytes() <= index->bundle_sizes[piece.bundle],
                  "a piece lies within its bundle");
  }
  auto written = content::format_edge_index(*index);
  auto again = content::parse_edge_index(written);
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(content::format_edge_index(*again) == written, "and is the same");
}
