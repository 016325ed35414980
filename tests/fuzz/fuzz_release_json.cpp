// release.json: the whole description of a release, from a publisher who may be hostile.
#include "content/manifest.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(release_json) {
  using namespace shoal;
  auto release = content::parse_release(bytes);
  if (!release) return;
  static_cast<void>(content::check_tree_paths(*release, true));
  auto written = content::format_release(*release);
  auto again = content::parse_release(as_bytes(written));
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(content::format_release(*again) == written, "and is the same");
}
