// What one torrent tells us, gathered on libtorrent's network thread: pieces that passed, and
// once a second who is connected, who has what and how fast.
#pragma once

#include <cstdint>
#include <libtorrent/fwd.hpp>
#include <memory>

#include "swarm/image_disk.hpp"
#include "transfer/pieces.hpp"
#include "transfer/swarm.hpp"

namespace shoal::swarm {

// Called on the network thread.
class PluginEvents {
 public:
  virtual ~PluginEvents() = default;
  // The torrent takes pieces from now on.
  virtual void torrent_ready(EntryId entry) = 0;
  virtual void piece_passed(EntryId entry, PieceIndex piece, bool from_peers) = 0;
  // Once a second while peers are connected or pieces are missing, and when the last peer left.
  virtual void torrent_view(EntryId entry, transfer::SwarmView view) = 0;
};

struct PluginOptions {
  EntryId entry = 0;
  std::uint32_t piece_count = 0;
  transfer::PieceSet had;       // told to libtorrent when the torrent was added
  std::uint32_t missing = 0;    // pieces that are still to come
  std::uint64_t self_node = 0;  // goes into our extension handshake
  std::shared_ptr<StoredImage> image;
  std::shared_ptr<PluginEvents> events;  // shared: the torrent may outlive the session object
};

std::shared_ptr<libtorrent::torrent_plugin> make_artifact_plugin(PluginOptions options);

}  // namespace shoal::swarm
