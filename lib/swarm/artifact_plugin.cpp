// A plugin per torrent counts over its peers' plugins. Availability is counted as peers tell what
// they have (have, bitfield, have-all), so that nobody has to ask libtorrent and make its network
// thread wait. Shoal's node id travels in the extension handshake (BEP 10) as
// {"shoal": {"node": <8 bytes, big endian>}}. Everything peers send is checked here again: these
// hooks run before libtorrent's own checks. libtorrent never forgets a piece that it had, so the
// lost ones are withdrawn here, peer by peer (BEP 54).
#include "swarm/artifact_plugin.hpp"

#include <algorithm>
#include <libtorrent/bdecode.hpp>
#include <libtorrent/bitfield.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/extensions.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/peer_request.hpp>
#include <libtorrent/time.hpp>
#include <libtorrent/torrent_status.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/asio.hpp"
#include "swarm/network_scope.hpp"

namespace shoal::swarm {
namespace {

constexpr std::size_t kNodeBytes = 8;
constexpr std::uint8_t kExtendedMessage = 20;  // BEP 10
constexpr std::uint32_t kDontHaveBytes = 6;    // both ids and the piece

std::string encode_node(std::uint64_t node) {
  std::string text(kNodeBytes, '\0');
  for (std::size_t i = kNodeBytes; i-- > 0; node >>= 8) text[i] = static_cast<char>(node & 0xff);
  return text;
}

// 0 unless it has the right form.
std::uint64_t decode_node(const lt::bdecode_node& handshake) {
  if (handshake.type() != lt::bdecode_node::dict_t) return 0;
  const auto ours = handshake.dict_find_dict("shoal");
  if (!ours) return 0;
  const auto text = ours.dict_find_string_value("node");
  if (text.size() != kNodeBytes) return 0;
  std::uint64_t node = 0;
  for (const char byte : text) node = node << 8 | static_cast<std::uint8_t>(byte);
  return node;
}

// 0 when the peer does not know the message.
std::uint8_t decode_dont_have_id(const lt::bdecode_node& handshake) {
  if (handshake.type() != lt::bdecode_node::dict_t) return 0;
  const auto messages = handshake.dict_find_dict("m");
  if (!messages) return 0;
  const auto id = messages.dict_find_int_value("lt_donthave");
  return id > 0 && id <= 0xff ? static_cast<std::uint8_t>(id) : std::uint8_t{0};
}

void append_big_endian(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

class PeerPlugin;

class ArtifactPlugin final : public lt::torrent_plugin,
                             public std::enable_shared_from_this<ArtifactPlugin> {
 public:
  explicit ArtifactPlugin(PluginOptions options)
      : options_(std::move(options)),
        availability_(options_.piece_count),
        last_view_(lt::clock_type::now()) {}

  std::shared_ptr<lt::peer_plugin> new_connection(const lt::peer_connection_handle& peer) override;
  void on_state(lt::torrent_status::state_t state) override;
  void on_piece_pass(lt::piece_index_t piece) override;
  void tick() override {
    withdraw_lost();
    if (ready_ && (options_.missing > 0 || connected() > 0)) send_view();
  }

  // From the peers' plugins:
  void leave(PeerPlugin* peer);
  void add_availability(std::uint32_t piece) { ++availability_[piece]; }
  void drop_availability(std::uint32_t piece) { --availability_[piece]; }
  void count_download(std::size_t bytes, bool local) {
    downloaded_ += bytes;
    if (local) downloaded_lan_ += bytes;
  }
  void count_upload(std::size_t bytes) { uploaded_ += bytes; }
  std::uint32_t piece_count() const { return options_.piece_count; }
  std::uint64_t self_node() const { return options_.self_node; }
  const StoredImage& image() const { return *options_.image; }

 private:
  static PieceIndex index(lt::piece_index_t piece) {
    return PieceIndex(static_cast<std::uint32_t>(static_cast<int>(piece)));
  }
  std::size_t connected() const;
  void withdraw_lost();
  void send_view();

  PluginOptions options_;
  bool ready_ = false;
  std::vector<PeerPlugin*> peers_;  // each leaves before it dies
  std::vector<std::uint16_t> availability_;
  std::uint64_t downloaded_ = 0, downloaded_lan_ = 0, uploaded_ = 0;
  lt::time_point last_view_;
};

class PeerPlugin final : public lt::peer_plugin {
 public:
  PeerPlugin(std::shared_ptr<ArtifactPlugin> artifact, const lt::peer_connection_handle& peer)
      : artifact_(std::move(artifact)),
        peer_(peer),
        local_(is_local(peer.remote().address())),
        has_(artifact_->piece_count()) {}
  ~PeerPlugin() override { depart(); }

  lt::string_view type() const override { return "shoal"; }
  void add_handshake(lt::entry& handshake) override {
    handshake["shoal"]["node"] = encode_node(artifact_->self_node());
  }
  // Always true: other clients' peers are counted too.
  bool on_handshake(lt::span<const char>) override {
    connected_ = true;
    return true;
  }
  bool on_extension_handshake(const lt::bdecode_node& handshake) override {
    if (const auto node = decode_node(handshake)) node_ = node;
    if (const auto id = decode_dont_have_id(handshake)) dont_have_id_ = id;
    withdraw_lost();
    return true;
  }
  void on_disconnect(const lt::error_code&) override { depart(); }

  // Always false: libtorrent goes on with the message.
  bool on_have(lt::piece_index_t piece) override {
    const auto at = static_cast<std::uint32_t>(static_cast<int>(piece));
    if (at < has_.size()) set(at, true);
    return false;
  }
  bool on_dont_have(lt::piece_index_t piece) override {
    const auto at = static_cast<std::uint32_t>(static_cast<int>(piece));
    if (at < has_.size()) set(at, false);
    return false;
  }
  bool on_bitfield(const lt::bitfield& pieces) override {
    const auto count = std::min(has_.size(), static_cast<std::size_t>(pieces.size()));
    for (std::uint32_t i = 0; i < count; ++i) set(i, pieces.get_bit(static_cast<int>(i)));
    return false;
  }
  bool on_have_all() override {
    for (std::uint32_t i = 0; i < has_.size(); ++i) set(i, true);
    return false;
  }
  bool on_piece(const lt::peer_request&, lt::span<const char> bytes) override {
    downloaded_ += static_cast<std::size_t>(bytes.size());
    artifact_->count_download(static_cast<std::size_t>(bytes.size()), local_);
    return false;
  }
  void sent_payload(int bytes) override {
    uploaded_ += static_cast<std::size_t>(bytes);
    artifact_->count_upload(static_cast<std::size_t>(bytes));
  }

  bool connected() const { return connected_; }
  // Tells the peer which pieces are gone since the last time.
  void withdraw_lost() {
    if (departed_ || dont_have_id_ == 0) return;
    std::string messages;
    for (const PieceIndex piece : artifact_->image().lost_since(told_lost_)) {
      append_big_endian(messages, kDontHaveBytes);
      messages += static_cast<char>(kExtendedMessage);
      messages += static_cast<char>(dont_have_id_);
      append_big_endian(messages, piece.value());
      ++told_lost_;
    }
    if (!messages.empty()) peer_.send_buffer(messages.data(), static_cast<int>(messages.size()));
  }
  // Rates are those since the last call.
  transfer::PeerView view(double elapsed_s) {
    transfer::PeerView view;
    view.node = node_;
    view.local = local_;
    view.seed = has_count_ == has_.size();
    view.download_bytes_per_s =
        static_cast<std::uint64_t>(static_cast<double>(std::exchange(downloaded_, 0)) / elapsed_s);
    view.upload_bytes_per_s =
        static_cast<std::uint64_t>(static_cast<double>(std::exchange(uploaded_, 0)) / elapsed_s);
    return view;
  }

 private:
  void set(std::uint32_t piece, bool has) {
    if (departed_ || has_[piece] == has) return;
    has_[piece] = has;
    if (has) {
      ++has_count_;
      artifact_->add_availability(piece);
    } else {
      --has_count_;
      artifact_->drop_availability(piece);
    }
  }
  void depart() {
    if (departed_) return;
    for (std::uint32_t i = 0; i < has_.size(); ++i) set(i, false);
    departed_ = true;
    artifact_->leave(this);
  }

  const std::shared_ptr<ArtifactPlugin> artifact_;
  lt::peer_connection_handle peer_;
  const bool local_;
  bool connected_ = false;
  bool departed_ = false;
  std::uint64_t node_ = 0;
  std::uint8_t dont_have_id_ = 0;
  std::size_t told_lost_ = 0;
  std::vector<bool> has_;
  std::size_t has_count_ = 0;
  std::uint64_t downloaded_ = 0, uploaded_ = 0;  // since the last view
};

std::shared_ptr<lt::peer_plugin> ArtifactPlugin::new_connection(
    const lt::peer_connection_handle& peer) {
  auto plugin = std::make_shared<PeerPlugin>(shared_from_this(), peer);
  peers_.push_back(plugin.get());
  return plugin;
}

// Not on_files_checked(): 2.0.11 calls that when the torrent is added, and again when files are
// really checked. Until then it drops the pieces that it is given.
void ArtifactPlugin::on_state(lt::torrent_status::state_t state) {
  const bool checking = state == lt::torrent_status::checking_files ||
                        state == lt::torrent_status::checking_resume_data;
  if (ready_ || checking) return;
  ready_ = true;
  options_.events->torrent_ready(options_.entry);
}

// libtorrent also reports the pieces that we told it of.
void ArtifactPlugin::on_piece_pass(lt::piece_index_t piece) {
  if (options_.had.has(index(piece))) return;
  if (options_.missing > 0) --options_.missing;
  const bool delivered = options_.image->passed(index(piece));
  options_.events->piece_passed(options_.entry, index(piece), !delivered);
}

void ArtifactPlugin::leave(PeerPlugin* peer) {
  const bool counted = peer->connected();
  std::erase(peers_, peer);
  if (counted && connected() == 0) send_view();
}

std::size_t ArtifactPlugin::connected() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(peers_, [](const PeerPlugin* peer) { return peer->connected(); }));
}

void ArtifactPlugin::withdraw_lost() {
  for (PeerPlugin* peer : peers_) peer->withdraw_lost();
}

void ArtifactPlugin::send_view() {
  const auto now = lt::clock_type::now();
  const double elapsed_s = std::max(0.001, std::chrono::duration<double>(now - last_view_).count());
  last_view_ = now;
  transfer::SwarmView view;
  view.availability = availability_;
  view.self_node = options_.self_node;
  for (PeerPlugin* peer : peers_) {
    if (!peer->connected()) continue;
    view.peers.push_back(peer->view(elapsed_s));
    view.download_bytes_per_s += view.peers.back().download_bytes_per_s;
    view.upload_bytes_per_s += view.peers.back().upload_bytes_per_s;
  }
  view.downloaded_bytes = downloaded_;
  view.downloaded_lan_bytes = downloaded_lan_;
  view.uploaded_bytes = uploaded_;
  options_.events->torrent_view(options_.entry, std::move(view));
}

}  // namespace

std::shared_ptr<lt::torrent_plugin> make_artifact_plugin(PluginOptions options) {
  return std::make_shared<ArtifactPlugin>(std::move(options));
}

}  // namespace shoal::swarm
