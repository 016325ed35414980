// What is had goes in as resume data (have_pieces, unfinished_pieces), which libtorrent believes
// since our disk layer confirms it without looking. Seed mode is not used, not even for a complete
// artifact: a piece that fails its first check there turns the torrent back into a download, which
// writes into the seed.
#include "swarm/torrent_params.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <libtorrent/torrent_flags.hpp>
#include <libtorrent/torrent_info.hpp>
#include <memory>

#include "base/asio.hpp"
#include "swarm/stored_image.hpp"

namespace shoal::swarm {
namespace {

std::unexpected<Error> invalid(const transfer::ArtifactId& artifact, std::string_view why) {
  return fail(ErrorKind::metadata_invalid,
              fmt::format("adding the torrent of artifact {}: {}", artifact.hex(), why));
}

Result<std::shared_ptr<lt::torrent_info>> parse(const transfer::ArtifactId& artifact,
                                                const Bytes& torrent) {
  lt::error_code error;
  auto info = std::make_shared<lt::torrent_info>(
      lt::span<const char>(reinterpret_cast<const char*>(torrent.data()),
                           static_cast<std::ptrdiff_t>(torrent.size())),
      error, lt::from_span);
  if (error) return invalid(artifact, error.message());
  if (!info->info_hashes().has_v2()) return invalid(artifact, "not a v2 torrent");
  const lt::sha256_hash hash = info->info_hashes().v2;
  if (!std::equal(artifact.bytes.begin(), artifact.bytes.end(), hash.begin()))
    return invalid(artifact, "its info-hash is another one");
  const auto& files = info->orig_files();
  if (files.num_files() != 1) return invalid(artifact, "not a single file");
  if (files.file_size(lt::file_index_t{0}) !=
      std::int64_t{info->piece_length()} * info->num_pieces())
    return invalid(artifact, "its size is not a whole number of pieces");
  if (info->piece_length() < static_cast<int>(kBlockBytes) ||
      info->piece_length() % static_cast<int>(kBlockBytes) != 0)
    return invalid(artifact, "its piece size is not a multiple of 16 KiB");
  return info;
}

// Blocks beyond the piece are ignored; pieces beyond the image were refused before.
lt::bitfield to_bitfield(const std::vector<bool>& blocks) {
  lt::bitfield bits(static_cast<int>(blocks.size()), false);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (blocks[i]) bits.set_bit(static_cast<int>(i));
  return bits;
}

}  // namespace

Result<lt::add_torrent_params> make_torrent_params(const transfer::ArtifactId& artifact,
                                                   const transfer::SwarmArtifact& description) {
  SHOAL_ASSIGN(auto info, parse(artifact, description.torrent));
  const int pieces = info->num_pieces();
  if (description.have.size() != static_cast<std::uint32_t>(pieces))
    return invalid(artifact, "it has another number of pieces than the store");
  info->clear_trackers();
  info->set_web_seeds({});

  lt::add_torrent_params params;
  params.have_pieces.resize(pieces, false);
  params.piece_priorities.resize(static_cast<std::size_t>(pieces),
                                 description.seed_only ? lt::dont_download : lt::default_priority);
  for (int i = 0; i < pieces; ++i) {
    if (description.have.has(PieceIndex(static_cast<std::uint32_t>(i))))
      params.have_pieces.set_bit(lt::piece_index_t{i});
  }
  if (!description.seed_only) {
    for (const auto& [piece, blocks] : description.partial) {
      if (piece.value() >= description.have.size() || description.have.has(piece)) continue;
      params.unfinished_pieces[lt::piece_index_t{static_cast<int>(piece.value())}] =
          to_bitfield(blocks);
    }
  }
  params.flags = lt::torrent_flags::apply_ip_filter;
  if (!description.dht_allowed) params.flags |= lt::torrent_flags::disable_dht;
  if (description.seed_only) params.flags |= lt::torrent_flags::upload_mode;
  params.ti = std::move(info);
  return params;
}

}  // namespace shoal::swarm
