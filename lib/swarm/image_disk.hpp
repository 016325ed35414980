// libtorrent's disk interface over StoredImage. The session and the disk layer share one DiskState.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <libtorrent/fwd.hpp>
#include <libtorrent/io_context.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "swarm/job_queue.hpp"
#include "swarm/stored_image.hpp"

namespace shoal::swarm {

// One adding of an artifact to the swarm; an artifact that is removed and added again has another.
using EntryId = std::uint64_t;

// Two: one may wait for the disk while the other hashes. More only make a disk seek.
inline constexpr unsigned kDiskThreads = 2;

class DiskState {
 public:
  // Called on the disk threads.
  struct Events {
    // At least once for each entry whose store fails.
    std::function<void(EntryId, Error)> store_failed;
    // The piece failed its check, and nothing of it counts any more.
    std::function<void(EntryId, PieceIndex, bool from_peers)> piece_failed;
    // The piece was delivered while libtorrent checked what peers had sent: it is to be told of it
    // now.
    std::function<void(EntryId, PieceIndex, std::vector<char>)> delivery_stored;
    // Peers asked for what can no longer be read; these pieces are not offered any more.
    std::function<void(EntryId, std::vector<PieceIndex>, Error)> pieces_lost;
  };
  DiskState(std::size_t queue_bytes, Events on_events)
      : write_queue_bytes(queue_bytes), events(std::move(on_events)) {}

  // A torrent finds its image by the last component of its save path, which serves for nothing
  // else (libtorrent makes the path absolute).
  static std::string save_path(EntryId entry) { return "shoal-" + std::to_string(entry); }
  void put(EntryId entry, std::shared_ptr<StoredImage> image);
  void remove(EntryId entry);
  // Null and 0 when there is none.
  std::pair<EntryId, std::shared_ptr<StoredImage>> find(const std::string& save_path) const;

  static JobQueue::Lane lane(EntryId entry, PieceIndex piece) {
    return entry << 32 | piece.value();
  }

  const std::size_t write_queue_bytes;
  const Events events;
  JobQueue jobs{kDiskThreads};

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::pair<EntryId, std::shared_ptr<StoredImage>>> images_;
};

std::unique_ptr<libtorrent::disk_interface> make_image_disk(libtorrent::io_context& network,
                                                            std::shared_ptr<DiskState> state);

}  // namespace shoal::swarm
