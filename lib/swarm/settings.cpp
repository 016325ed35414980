// Each departure from libtorrent's defaults with its reason. Three groups, because consent and
// limits change while the session runs.
#include "swarm/settings.hpp"

#include <algorithm>
#include <libtorrent/alert.hpp>
#include <libtorrent/fingerprint.hpp>
#include <limits>

#include "base/asio.hpp"

namespace shoal::swarm {
namespace {

// Everyone who is interested is served at once in swarms of up to this many neighbours: with equal
// links, choking only delays the spreading of new pieces. Beyond it, an upload of 1 MB/s split
// further would take minutes to complete a 4 MiB piece.
constexpr int kUnchokeSlots = 24;
constexpr int kConnections = 200;      // of the session
constexpr int kConnectionsPerS = 100;  // after an announce, 30 peers should be reached at once
constexpr int kAlertQueue = 2000;
constexpr int kStopTrackerTimeoutS = 1;  // good-byes to trackers may not hold up the shutdown
constexpr int kMinReconnectS = 10;       // a peer that restarted is back within this time
constexpr int kConnectTimeoutS = 7;
// The tracker is the publisher's own and says when to announce again; libtorrent would never do so
// before five minutes, and a young swarm's peers would not hear of each other meanwhile.
constexpr int kMinAnnounceS = 5;
// Requests kept outstanding at a peer: 16 MiB of blocks fill 1 Gbit/s at 100 ms round trip.
constexpr int kRequestQueue = 1000;
// Seconds' worth of blocks asked of a peer in advance. The less, the later it is decided who sends
// what: on equal links of 2.5 MB/s, 1 instead of 3 saves a tenth of a swarm's time (bench/swarm).
constexpr int kRequestQueueS = 1;
constexpr int kSendBufferBytes = 1 << 20;  // per peer, read ahead of the socket

int clamp_rate(std::uint64_t bytes_per_s) {
  return static_cast<int>(std::min<std::uint64_t>(bytes_per_s, std::numeric_limits<int>::max()));
}

}  // namespace

lt::settings_pack fixed_settings(const SwarmOptions& options) {
  using sp = lt::settings_pack;
  sp pack;
  pack.set_str(sp::user_agent, options.user_agent);
  pack.set_str(sp::peer_fingerprint, lt::generate_fingerprint("SH", 0, 1));
  pack.set_str(sp::outgoing_interfaces, options.outgoing);
  pack.set_int(sp::alert_mask, static_cast<int>(static_cast<std::uint32_t>(
                                   lt::alert_category::error | lt::alert_category::tracker)));
  pack.set_int(sp::alert_queue_size, kAlertQueue);

  pack.set_bool(sp::allow_multiple_connections_per_ip, options.allow_multiple_connections_per_ip);
  pack.set_int(sp::connections_limit, kConnections);
  pack.set_int(sp::connection_speed, kConnectionsPerS);
  pack.set_int(sp::min_reconnect_time, kMinReconnectS);
  pack.set_int(sp::peer_connect_timeout, kConnectTimeoutS);
  pack.set_int(sp::stop_tracker_timeout, kStopTrackerTimeoutS);
  pack.set_int(sp::min_announce_interval, kMinAnnounceS);
  pack.set_bool(sp::announce_to_all_trackers, true);
  pack.set_bool(sp::announce_to_all_tiers, true);

  pack.set_int(sp::mixed_mode_algorithm, sp::prefer_tcp);
  // Encryption where the other side wants it; off on one side only, peers could not connect.
  pack.set_int(sp::out_enc_policy, sp::pe_enabled);
  pack.set_int(sp::in_enc_policy, sp::pe_enabled);
  pack.set_int(sp::allowed_enc_level, sp::pe_both);

  pack.set_int(sp::unchoke_slots_limit, kUnchokeSlots);
  pack.set_int(sp::max_out_request_queue, kRequestQueue);
  pack.set_int(sp::request_queue_time, kRequestQueueS);
  pack.set_int(sp::send_buffer_watermark, kSendBufferBytes);
  // Rarest first always: with many seeds libtorrent would go through the pieces in order, and
  // those who download side by side would all have the same ones.
  pack.set_bool(sp::auto_sequential, false);
  // No torrent is ever queued behind another by libtorrent; that is the agent's to decide.
  for (int limit : {sp::active_downloads, sp::active_seeds, sp::active_checking, sp::active_limit,
                    sp::active_dht_limit, sp::active_tracker_limit, sp::active_lsd_limit})
    pack.set_int(limit, -1);

  pack.set_str(sp::listen_interfaces, "");
  for (int traffic : {sp::enable_dht, sp::enable_lsd, sp::enable_upnp, sp::enable_natpmp,
                      sp::enable_outgoing_utp, sp::enable_incoming_utp})
    pack.set_bool(traffic, false);
  return pack;
}

lt::settings_pack consent_settings(const SwarmOptions& options, transfer::Consent consent,
                                   bool dht_allowed) {
  using sp = lt::settings_pack;
  const bool any = consent != transfer::Consent::denied;
  const bool all = consent == transfer::Consent::granted;
  sp pack;
  // uTP yields to other traffic on the way to the internet. Within a network it is several times
  // slower than TCP, and libtorrent tries it first with every peer.
  pack.set_bool(sp::enable_outgoing_utp, all && options.utp);
  pack.set_bool(sp::enable_incoming_utp, all && options.utp);
  pack.set_str(sp::listen_interfaces, any ? options.listen : "");
  pack.set_bool(sp::enable_lsd, any && options.lan_discovery);
  pack.set_bool(sp::enable_dht, all && dht_allowed);
  pack.set_bool(sp::enable_upnp, all && options.upnp);
  pack.set_bool(sp::enable_natpmp, all && options.upnp);
  return pack;
}

lt::settings_pack limit_settings(const transfer::RateLimits& limits) {
  using sp = lt::settings_pack;
  sp pack;
  pack.set_int(sp::upload_rate_limit, clamp_rate(limits.upload_bytes_per_s));
  pack.set_int(sp::download_rate_limit, clamp_rate(limits.download_bytes_per_s));
  return pack;
}

}  // namespace shoal::swarm
