// Which addresses count as local, and what consent makes of peers and trackers.
#pragma once

#include <libtorrent/address.hpp>
#include <libtorrent/ip_filter.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "transfer/swarm.hpp"

namespace shoal::swarm {

// Loopback, link-local, RFC 1918, and IPv6 unique local addresses (RFC 4193).
bool is_local(const libtorrent::address& address);

// The peers that consent allows: all, the local ones, or none.
libtorrent::ip_filter peer_filter(transfer::Consent consent);
// Puts every peer, local ones too, under the session's rate limits and unchoke slots; libtorrent
// exempts local peers unless told so. Its values are peer class masks.
libtorrent::ip_filter peer_class_filter();

// Those of the trackers that consent allows. Under Consent::lan only those whose host is written
// as a local address: asking for a name's address would already leave the network.
std::vector<std::string> allowed_trackers(const std::vector<std::string>& trackers,
                                          transfer::Consent consent);
// The host part of "scheme://[user@]host[:port]/…", without brackets; empty if there is none.
std::string_view url_host(std::string_view url);

}  // namespace shoal::swarm
