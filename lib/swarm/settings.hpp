// libtorrent's settings, from ours.
#pragma once

#include <libtorrent/settings_pack.hpp>

#include "swarm/swarm.hpp"

namespace shoal::swarm {

// What stays as it is for the session's life, with everything that makes traffic switched off.
libtorrent::settings_pack fixed_settings(const SwarmOptions& options);
// What consent decides: listening, discovery, DHT, port mapping. `dht_allowed`: some artifact is
// allowed to use it.
libtorrent::settings_pack consent_settings(const SwarmOptions& options, transfer::Consent consent,
                                           bool dht_allowed);
libtorrent::settings_pack limit_settings(const transfer::RateLimits& limits);

}  // namespace shoal::swarm
