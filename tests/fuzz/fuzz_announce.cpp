// What any peer of the world sends to the tracker: the query of an announce or a scrape, and its
// address as text.
#include "fuzzer.hpp"
#include "tracker/announce.hpp"

SHOAL_FUZZER(announce) {
  using namespace shoal;
  auto text = as_text(bytes);
  if (auto announce = tracker::parse_announce(text))
    fuzz::require(announce->wanted <= tracker::kMaxWanted, "peers wanted are bounded");
  if (auto hashes = tracker::parse_scrape(text))
    fuzz::require(!hashes->empty() && hashes->size() <= tracker::kMaxScrapeHashes,
                  "scraped hashes are bounded");
  if (auto address = tracker::Address::parse(text))
    fuzz::require(tracker::Address::parse(address->text()) == address, "an address reads back");
}
