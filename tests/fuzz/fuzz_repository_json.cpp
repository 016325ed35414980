// repository.json and channels.json: mirrors, trackers, and which version a channel names.
#include "content/repository_info.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(repository_json) {
  using namespace shoal;
  if (auto info = content::parse_repository_info(bytes)) {
    auto written = content::format_repository_info(*info);
    auto again = content::parse_repository_info(as_bytes(written));
    fuzz::require(again && content::format_repository_info(*again) == written,
                  "repository.json reads back the same");
  }
  if (auto list = content::parse_channels(bytes)) {
    auto written = content::format_channels(*list);
    auto again = content::parse_channels(as_bytes(written));
    fuzz::require(again && content::format_channels(*again) == written,
                  "channels.json reads back the same");
  }
}
