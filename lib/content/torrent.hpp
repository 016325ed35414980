// Single-file BitTorrent v2 torrents of images (BEP 52), and hybrids (BEP 3 + 52).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"

namespace shoal::content {

struct TorrentInput {
  std::string name;  // of the single file: "<product>-<version>-<component>.image"
  std::uint64_t image_size = 0;
  std::uint32_t piece_size = 0;
  std::vector<Digest> piece_hashes;         // v2 layer
  std::vector<Sha1Digest> v1_piece_hashes;  // empty unless hybrid
  std::vector<std::string> trackers;
};

struct Torrent {
  std::string name;
  std::uint64_t image_size = 0;
  std::uint32_t piece_size = 0;
  std::vector<Digest> piece_hashes;  // by PieceIndex
  std::vector<std::string> trackers;
  Digest info_hash;                        // v2: SHA-256 of the info dictionary
  std::optional<Sha1Digest> v1_info_hash;  // hybrid only
};

inline constexpr std::uint64_t kMaxTorrentBytes = 64ULL << 20;

// The .torrent file; its info dictionary equals what libtorrent makes of the same image file.
Bytes make_torrent(const TorrentInput& input);
// Checks the piece layer against the file's root. Errors: metadata_invalid, too_large.
Result<Torrent> parse_torrent(ByteView bytes);

}  // namespace shoal::content
