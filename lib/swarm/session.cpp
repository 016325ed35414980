// Owns libtorrent's session and what was added to it. Everything of libtorrent's that happens
// elsewhere comes back through the mailbox with an entry id, so that what is still on its way when
// an artifact is removed finds nothing and is dropped. Without consent the session is paused and
// listens nowhere, but still takes delivered pieces.
#include <algorithm>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/extensions/smart_ban.hpp>
#include <libtorrent/extensions/ut_pex.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_info.hpp>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "base/asio.hpp"
#include "swarm/mailbox.hpp"
#include "swarm/network_scope.hpp"
#include "swarm/settings.hpp"
#include "swarm/swarm.hpp"
#include "swarm/torrent_params.hpp"

namespace shoal::swarm {
namespace {

using transfer::ArtifactId;
using transfer::Consent;

// Low, but not 0: with every missing piece at 0 libtorrent believes the download is finished and
// drops the seeds.
constexpr lt::download_priority_t kReservedPriority{1};

lt::piece_index_t to_lt(PieceIndex piece) {
  return lt::piece_index_t{static_cast<int>(piece.value())};
}

// Runs what may throw because libtorrent has dropped the torrent or is shutting down; then there
// is nothing left to do.
template <typename Action>
void try_with_torrent(Action action) {
  try {
    action();
  } catch (const boost::system::system_error&) {
  }
}

std::uint64_t random_node() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

struct Entry {
  ArtifactId artifact;
  transfer::SwarmEvents* events = nullptr;
  lt::torrent_handle handle;
  std::shared_ptr<StoredImage> image;
  transfer::PieceSet have;
  std::size_t piece_size = 0;
  bool hybrid = false;
  bool seed_only = false;
  bool dht_allowed = false;
  bool ready = false;  // libtorrent takes pieces
  std::vector<std::string> trackers;
  std::set<PieceIndex> reserved;
  std::set<PieceIndex> delivering;
  std::vector<std::pair<PieceIndex, Bytes>> early;  // delivered before it was ready
};

class LibtorrentSession final : public Session, private MailboxReader {
 public:
  LibtorrentSession(const SwarmOptions& options, Executor& main_thread, Log& log);
  ~LibtorrentSession() override;

  Result<void> add(const ArtifactId& artifact, transfer::SwarmArtifact description,
                   transfer::SwarmEvents& events) override;
  void remove(const ArtifactId& artifact) override;
  void deliver(const ArtifactId& artifact, PieceIndex piece, Bytes bytes) override;
  void set_reserved(const ArtifactId& artifact, const std::vector<PieceIndex>& pieces) override;
  void set_consent(Consent consent) override;
  void set_limits(const transfer::RateLimits& limits) override;
  Result<void> connect_peer(const ArtifactId& artifact, const std::string& address,
                            std::uint16_t port) override;

 private:
  // MailboxReader:
  void torrent_ready(EntryId id) override;
  void piece_passed(EntryId id, PieceIndex piece, bool from_peers) override;
  void piece_failed(EntryId id, PieceIndex piece, bool from_peers) override;
  void pieces_lost(EntryId id, std::vector<PieceIndex> pieces, Error error) override;
  void torrent_view(EntryId id, transfer::SwarmView view) override;
  void store_failed(EntryId id, Error error) override;
  void delivery_stored(EntryId id, PieceIndex piece, std::vector<char> bytes) override;
  void alerts_waiting() override;

  Entry* find(EntryId id);
  std::pair<EntryId, Entry*> find(const ArtifactId& artifact);
  void erase(EntryId id);
  void store_delivery(EntryId id, const Entry& entry, PieceIndex piece, Bytes bytes);
  void apply_consent_settings();

  SwarmOptions options_;  // with the current consent
  const std::uint64_t node_;
  Log& log_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::shared_ptr<DiskState> disk_;
  std::map<EntryId, Entry> entries_;
  std::map<ArtifactId, EntryId> ids_;
  EntryId next_id_ = 1;
  std::unique_ptr<lt::session> session_;
};

DiskState::Events events_into(std::shared_ptr<Mailbox> mailbox) {
  DiskState::Events events;
  events.store_failed = [mailbox](EntryId id, Error error) {
    mailbox->store_failed(id, std::move(error));
  };
  events.piece_failed = [mailbox](EntryId id, PieceIndex piece, bool from_peers) {
    mailbox->piece_failed(id, piece, from_peers);
  };
  events.delivery_stored = [mailbox](EntryId id, PieceIndex piece, std::vector<char> bytes) {
    mailbox->delivery_stored(id, piece, std::move(bytes));
  };
  events.pieces_lost = [mailbox](EntryId id, std::vector<PieceIndex> pieces, Error error) {
    mailbox->pieces_lost(id, std::move(pieces), std::move(error));
  };
  return events;
}

LibtorrentSession::LibtorrentSession(const SwarmOptions& options, Executor& main_thread, Log& log)
    : options_(options),
      node_(options.node != 0 ? options.node : random_node()),
      log_(log),
      mailbox_(std::make_shared<Mailbox>(main_thread, static_cast<MailboxReader&>(*this))),
      disk_(std::make_shared<DiskState>(options.write_queue_bytes, events_into(mailbox_))) {
  lt::session_params params(fixed_settings(options), {});
  params.disk_io_constructor = [disk = disk_](lt::io_context& network,
                                              const lt::settings_interface&, lt::counters&) {
    return make_image_disk(network, disk);
  };
  session_ = std::make_unique<lt::session>(std::move(params));
  session_->set_peer_class_filter(peer_class_filter());
  session_->set_ip_filter(peer_filter(options.consent));
  session_->add_extension(&lt::create_smart_ban_plugin);
  if (options.pex) session_->add_extension(&lt::create_ut_pex_plugin);
  session_->set_alert_notify([mailbox = mailbox_] { mailbox->alerts_waiting(); });
  session_->apply_settings(limit_settings(options.limits));
  if (options.consent == Consent::denied) session_->pause();
  apply_consent_settings();
}

LibtorrentSession::~LibtorrentSession() {
  mailbox_->close();
  session_->set_alert_notify({});
  const lt::session_proxy ending = session_->abort();
  session_.reset();
}

Result<void> LibtorrentSession::add(const ArtifactId& artifact, transfer::SwarmArtifact description,
                                    transfer::SwarmEvents& events) {
  if (ids_.contains(artifact))
    return fail(ErrorKind::conflict, "adding artifact " + artifact.hex() + ": already there");
  SHOAL_ASSIGN(auto params, make_torrent_params(artifact, description));
  const EntryId id = next_id_++;
  Entry entry;
  entry.artifact = artifact;
  entry.events = &events;
  entry.piece_size = static_cast<std::size_t>(params.ti->piece_length());
  entry.hybrid = params.ti->info_hashes().has_v1();
  entry.image = std::make_shared<StoredImage>(std::move(description.store),
                                              static_cast<std::uint32_t>(entry.piece_size),
                                              description.have.size());
  entry.have = std::move(description.have);
  entry.seed_only = description.seed_only;
  entry.dht_allowed = description.dht_allowed;
  entry.trackers = std::move(description.trackers);

  const PluginOptions plugin{
      .entry = id,
      .piece_count = entry.have.size(),
      .had = entry.have,
      .missing = entry.seed_only ? 0 : entry.have.size() - entry.have.count(),
      .self_node = node_,
      .image = entry.image,
      .events = mailbox_};
  params.extensions.push_back([plugin](const lt::torrent_handle&, lt::client_data_t) {
    return make_artifact_plugin(plugin);
  });
  params.save_path = DiskState::save_path(id);
  params.trackers = allowed_trackers(entry.trackers, options_.consent);
  disk_->put(id, entry.image);
  lt::error_code error;
  entry.handle = session_->add_torrent(std::move(params), error);
  disk_->remove(id);  // the torrent has found it
  if (error)
    return fail(ErrorKind::metadata_invalid,
                "adding the torrent of artifact " + artifact.hex() + ": " + error.message());
  entries_.emplace(id, std::move(entry));
  ids_.emplace(artifact, id);
  if (description.dht_allowed) apply_consent_settings();
  return {};
}

void LibtorrentSession::remove(const ArtifactId& artifact) {
  if (const auto [id, entry] = find(artifact); entry) erase(id);
}

void LibtorrentSession::deliver(const ArtifactId& artifact, PieceIndex piece, Bytes bytes) {
  const auto [id, entry] = find(artifact);
  if (!entry || entry->seed_only || piece.value() >= entry->have.size() || entry->have.has(piece))
    return;
  if (bytes.size() != entry->piece_size) {
    log_.error("swarm", "delivered piece {} of {} has {} bytes, not {}", piece.value(),
               artifact.hex(), bytes.size(), entry->piece_size);
    mailbox_->piece_failed(id, piece, false);
    return;
  }
  if (!entry->delivering.insert(piece).second) return;
  if (entry->ready)
    store_delivery(id, *entry, piece, std::move(bytes));
  else
    entry->early.emplace_back(piece, std::move(bytes));
}

// Written in the piece's lane, so after the blocks that peers sent before; libtorrent is told when
// the piece is in the store, and its writes of the same bytes then cost nothing.
void LibtorrentSession::store_delivery(EntryId id, const Entry& entry, PieceIndex piece,
                                       Bytes bytes) {
  disk_->jobs.push(DiskState::lane(id, piece), [id, piece, image = entry.image, v1 = entry.hybrid,
                                                mailbox = mailbox_, bytes = std::move(bytes)] {
    auto stored = image->deliver(piece, bytes, v1);
    if (stored)
      mailbox->delivery_stored(id, piece, std::vector<char>(bytes.begin(), bytes.end()));
    else
      mailbox->store_failed(id, std::move(stored.error()));
  });
}

void LibtorrentSession::set_reserved(const ArtifactId& artifact,
                                     const std::vector<PieceIndex>& pieces) {
  const auto [id, entry] = find(artifact);
  if (!entry || entry->seed_only) return;
  std::set<PieceIndex> wanted;
  for (const PieceIndex piece : pieces)
    if (piece.value() < entry->have.size() && !entry->have.has(piece)) wanted.insert(piece);
  std::vector<std::pair<lt::piece_index_t, lt::download_priority_t>> changes;
  for (const PieceIndex piece : wanted)
    if (!entry->reserved.contains(piece)) changes.emplace_back(to_lt(piece), kReservedPriority);
  for (const PieceIndex piece : entry->reserved)
    if (!wanted.contains(piece)) changes.emplace_back(to_lt(piece), lt::default_priority);
  entry->reserved = std::move(wanted);
  if (!changes.empty()) try_with_torrent([&] { entry->handle.prioritize_pieces(changes); });
}

void LibtorrentSession::set_consent(Consent consent) {
  if (consent == options_.consent) return;
  options_.consent = consent;
  if (consent == Consent::denied) session_->pause();
  session_->set_ip_filter(peer_filter(consent));
  for (auto& [id, entry] : entries_) {
    std::vector<lt::announce_entry> trackers;
    for (const std::string& url : allowed_trackers(entry.trackers, consent))
      trackers.emplace_back(url);
    try_with_torrent([&] { entry.handle.replace_trackers(trackers); });
  }
  apply_consent_settings();
  if (consent != Consent::denied) session_->resume();
}

void LibtorrentSession::set_limits(const transfer::RateLimits& limits) {
  options_.limits = limits;
  session_->apply_settings(limit_settings(limits));
}

Result<void> LibtorrentSession::connect_peer(const ArtifactId& artifact, const std::string& address,
                                             std::uint16_t port) {
  const auto [id, entry] = find(artifact);
  if (!entry) return fail(ErrorKind::not_found, "connecting to a peer: no such artifact");
  lt::error_code error;
  const auto parsed = lt::make_address(address, error);
  if (error)
    return fail(ErrorKind::invalid_request, "connecting to a peer: not an address: " + address);
  try_with_torrent([&] { entry->handle.connect_peer({parsed, port}); });
  return {};
}

void LibtorrentSession::torrent_ready(EntryId id) {
  Entry* entry = find(id);
  if (!entry) return;
  entry->ready = true;
  for (auto& [piece, bytes] : std::exchange(entry->early, {}))
    store_delivery(id, *entry, piece, std::move(bytes));
}

void LibtorrentSession::piece_passed(EntryId id, PieceIndex piece, bool from_peers) {
  Entry* entry = find(id);
  if (!entry) return;
  entry->have.add(piece);
  entry->delivering.erase(piece);
  entry->reserved.erase(piece);
  entry->image->forget(piece);  // a delivery may have come after the check
  entry->events->swarm_piece_done(entry->artifact, piece, from_peers);
}

void LibtorrentSession::piece_failed(EntryId id, PieceIndex piece, bool from_peers) {
  Entry* entry = find(id);
  if (!entry) return;
  if (!from_peers) entry->delivering.erase(piece);
  entry->events->swarm_piece_failed(entry->artifact, piece, from_peers);
}

void LibtorrentSession::pieces_lost(EntryId id, std::vector<PieceIndex> pieces, Error error) {
  if (Entry* entry = find(id)) entry->events->swarm_pieces_lost(entry->artifact, pieces, error);
}

void LibtorrentSession::torrent_view(EntryId id, transfer::SwarmView view) {
  if (Entry* entry = find(id)) entry->events->swarm_view(entry->artifact, view);
}

void LibtorrentSession::store_failed(EntryId id, Error error) {
  Entry* entry = find(id);
  if (!entry) return;
  const ArtifactId artifact = entry->artifact;
  transfer::SwarmEvents& events = *entry->events;
  log_.warning("swarm", "artifact {} stops: {}", artifact.hex(), error.describe());
  erase(id);
  events.swarm_store_failed(artifact, error);
}

void LibtorrentSession::delivery_stored(EntryId id, PieceIndex piece, std::vector<char> bytes) {
  Entry* entry = find(id);
  if (!entry) return;
  if (entry->have.has(piece)) {  // the peers were faster
    entry->image->forget(piece);
    return;
  }
  try_with_torrent([&] { entry->handle.add_piece(to_lt(piece), std::move(bytes)); });
}

void LibtorrentSession::alerts_waiting() {
  std::vector<lt::alert*> alerts;
  session_->pop_alerts(&alerts);
  for (const lt::alert* alert : alerts) {
    const bool serious = lt::alert_cast<lt::listen_failed_alert>(alert) ||
                         lt::alert_cast<lt::session_error_alert>(alert) ||
                         lt::alert_cast<lt::torrent_error_alert>(alert);
    if (serious)
      log_.warning("swarm", "{}", alert->message());
    else
      log_.debug("swarm", "{}", alert->message());
  }
}

Entry* LibtorrentSession::find(EntryId id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

std::pair<EntryId, Entry*> LibtorrentSession::find(const ArtifactId& artifact) {
  const auto found = ids_.find(artifact);
  if (found == ids_.end()) return {0, nullptr};
  return {found->second, find(found->second)};
}

void LibtorrentSession::erase(EntryId id) {
  const auto found = entries_.find(id);
  const bool dht = found->second.dht_allowed;
  session_->remove_torrent(found->second.handle);
  ids_.erase(found->second.artifact);
  entries_.erase(found);
  if (dht) apply_consent_settings();
}

void LibtorrentSession::apply_consent_settings() {
  const bool dht_allowed =
      std::ranges::any_of(entries_, [](const auto& item) { return item.second.dht_allowed; });
  session_->apply_settings(consent_settings(options_, options_.consent, dht_allowed));
}

Result<void> check_addresses(const SwarmOptions& options) {
  lt::error_code error;
  if (!options.outgoing.empty()) {
    lt::make_address(options.outgoing, error);
    if (error)
      return fail(ErrorKind::invalid_request,
                  "starting the swarm: not an IP address: outgoing = " + options.outgoing,
                  "Give the address that connections to peers should leave from.");
  }
  for (std::size_t at = 0; at < options.listen.size();) {
    const auto end = std::min(options.listen.find(',', at), options.listen.size());
    const std::string item = options.listen.substr(at, end - at);
    const auto colon = item.rfind(':');
    const std::string port = colon == std::string::npos ? "" : item.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != port.npos ||
        std::stoi(port) > 65535)
      return fail(ErrorKind::invalid_request,
                  "starting the swarm: not ADDRESS:PORT: listen = " + item,
                  "Write addresses and ports, as in 0.0.0.0:6881,[::]:6881.");
    at = end + 1;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Session>> make_swarm(const SwarmOptions& options, Executor& main_thread,
                                            Log& log) {
  SHOAL_TRY(check_addresses(options));
  try {
    return std::make_unique<LibtorrentSession>(options, main_thread, log);
  } catch (const std::exception& error) {
    return fail(ErrorKind::internal, std::string("starting the swarm: ") + error.what());
  }
}

}  // namespace shoal::swarm
