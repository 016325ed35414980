// The bencoded answers (BEP 3, 7, 23, 48). Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tracker/registry.hpp"

namespace shoal::tracker {

std::string announce_body(const Announce& announce, const AnnounceAnswer& answer);
// Any order of hashes.
std::string scrape_body(std::vector<std::pair<InfoHash, Counts>> files);
std::string failure_body(std::string_view reason);

}  // namespace shoal::tracker
