// From a SwarmArtifact to what libtorrent adds.
#pragma once

#include <libtorrent/add_torrent_params.hpp>

#include "base/error.hpp"
#include "transfer/swarm.hpp"

namespace shoal::swarm {

// Checks the torrent: a single file of whole pieces, v2 or hybrid, with the artifact's info-hash.
// Trackers, save path and extensions are left to the caller. Errors: metadata_invalid.
Result<libtorrent::add_torrent_params> make_torrent_params(
    const transfer::ArtifactId& artifact, const transfer::SwarmArtifact& description);

}  // namespace shoal::swarm
