// The swarm on libtorrent: transfer::Swarm over peers, with every artifact's bytes in its own
// transfer::ImageStore. docs/swarm.md tells how it behaves on the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "base/log.hpp"
#include "transfer/swarm.hpp"

namespace shoal::swarm {

struct SwarmOptions {
  // Where to accept peers: "0.0.0.0:6881,[::]:6881" or "127.0.0.2:7001". Not opened under
  // Consent::denied.
  std::string listen = "0.0.0.0:6881,[::]:6881";
  std::string outgoing;  // source address of outgoing connections; empty: the system's choice
  bool lan_discovery = true;
  bool pex = true;
  bool upnp = true;  // and NAT-PMP; only under Consent::granted, as uTP
  bool utp = true;
  transfer::Consent consent = transfer::Consent::denied;
  transfer::RateLimits limits;
  std::string user_agent = "shoal/0.1";
  // Blocks from peers that wait for the disk; beyond it peers are made to wait. Bytes.
  std::size_t write_queue_bytes = std::size_t{16} << 20;
  bool allow_multiple_connections_per_ip = false;
  std::uint64_t node = 0;  // this machine's id towards other nodes; 0: a random one
};

// What our swarm can do beyond the interface that the agent sees. Main thread.
class Session : public transfer::Swarm {
 public:
  // Tries that peer, beside those that trackers and discovery find. `address` is an IP address
  // without a port. Errors: invalid_request (no address), not_found (no such artifact).
  virtual Result<void> connect_peer(const transfer::ArtifactId& artifact,
                                    const std::string& address, std::uint16_t port) = 0;
};

// Starts the swarm. Its events run on `main_thread`; it is used and destroyed there, and both
// references outlive it. The destructor tells trackers good-bye and takes at most about two
// seconds, unless a store hangs. Errors: invalid_request (addresses), internal.
Result<std::unique_ptr<Session>> make_swarm(const SwarmOptions& options, Executor& main_thread,
                                            Log& log);

}  // namespace shoal::swarm
