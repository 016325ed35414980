// Torrents of one file. The info dictionary has exactly the keys that libtorrent's create_torrent
// writes, in bencoding's one order, so both give the same info-hash. A file of a single piece has
// no piece layer: its root is the hash of that piece.
#include "content/torrent.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cassert>

#include "base/relative_path.hpp"
#include "content/bencode.hpp"
#include "content/manifest.hpp"
#include "content/merkle.hpp"

namespace shoal::content {
namespace {

using Type = BencodeValue::Type;

constexpr std::size_t kMaxTrackers = 64;
constexpr std::size_t kMaxTrackerBytes = 2048;  // longer URLs fail in servers and proxies

std::unexpected<Error> bad(std::string_view why) {
  return fail(ErrorKind::metadata_invalid, fmt::format("torrent: {}", why));
}

Digest root_of(const std::vector<Digest>& piece_hashes, std::uint32_t piece_size) {
  unsigned height = static_cast<unsigned>(std::countr_zero(piece_size / kBlockSize));
  return merkle_root(piece_hashes, 0, merkle_pad(height));
}

Bytes join(const std::vector<Digest>& digests) {
  Bytes joined;
  joined.reserve(digests.size() * sizeof(Digest));
  for (const Digest& digest : digests)
    joined.insert(joined.end(), digest.bytes.begin(), digest.bytes.end());
  return joined;
}

Bytes make_info(const TorrentInput& input, const Digest& root) {
  bool hybrid = !input.v1_piece_hashes.empty();
  auto length = static_cast<std::int64_t>(input.image_size);
  BencodeWriter info;
  info.begin_dictionary();
  info.string("file tree").begin_dictionary().string(input.name).begin_dictionary();
  info.string("").begin_dictionary();
  info.string("length").integer(length);
  info.string("pieces root").string(root.bytes);
  info.end().end().end();
  if (hybrid) info.string("length").integer(length);
  info.string("meta version").integer(2);
  info.string("name").string(input.name);
  info.string("piece length").integer(input.piece_size);
  if (hybrid) {
    Bytes pieces;
    for (const Sha1Digest& hash : input.v1_piece_hashes)
      pieces.insert(pieces.end(), hash.begin(), hash.end());
    info.string("pieces").string(pieces);
  }
  return info.end().take();
}

Result<std::vector<std::string>> parse_trackers(const BencodeValue& torrent) {
  std::vector<std::string> trackers;
  auto add = [&](const BencodeValue& url) {
    std::string text(as_text(url.string));
    // One too many is enough to refuse them, and tens of thousands would take long to compare.
    if (trackers.size() <= kMaxTrackers &&
        std::find(trackers.begin(), trackers.end(), text) == trackers.end())
      trackers.push_back(std::move(text));
  };
  if (const auto* announce = torrent.find("announce", Type::string)) add(*announce);
  if (const auto* tiers = torrent.find("announce-list", Type::list))
    for (const auto& tier : tiers->list)
      for (const auto& url : tier.list)
        if (url.type == Type::string) add(url);
  if (trackers.size() > kMaxTrackers) return bad("it names too many trackers");
  for (const std::string& url : trackers)
    if (url.size() > kMaxTrackerBytes || !is_valid_utf8(url))
      return bad("a tracker's URL is too long or not UTF-8");
  return trackers;
}

// Name, size and root out of the info dictionary's only file.
Result<Digest> parse_file(const BencodeValue& info, Torrent& torrent) {
  const auto* tree = info.find("file tree", Type::dictionary);
  const auto* name = info.find("name", Type::string);
  if (tree == nullptr || name == nullptr) return bad("'file tree' or 'name' is missing");
  torrent.name = as_text(name->string);
  SHOAL_TRY(RelativePath::parse(torrent.name));
  if (torrent.name.find('/') != std::string::npos) return bad("its name has a '/'");
  const auto* file = tree->find(torrent.name, Type::dictionary);
  const auto* leaf = file == nullptr ? nullptr : file->find("", Type::dictionary);
  if (leaf == nullptr || tree->dictionary.size() != 1 || file->dictionary.size() != 1)
    return bad("it is not of a single file that has the torrent's name");
  const auto* length = leaf->find("length", Type::integer);
  const auto* root = leaf->find("pieces root", Type::string);
  auto digest = root == nullptr ? std::nullopt : Digest::from_bytes(root->string);
  if (length == nullptr || !digest) return bad("'length' or 'pieces root' is missing");
  if (length->integer <= 0 || length->integer % torrent.piece_size != 0 ||
      static_cast<std::uint64_t>(length->integer) / torrent.piece_size > kMaxPieces)
    return bad("the image is not a whole number of pieces, or too many");
  torrent.image_size = static_cast<std::uint64_t>(length->integer);
  return *digest;
}

Result<void> parse_layer(const BencodeValue& outer, const Digest& root, Torrent& torrent) {
  const auto* layers = outer.find("piece layers", Type::dictionary);
  if (layers == nullptr) return bad("'piece layers' is missing");
  std::uint64_t pieces = torrent.image_size / torrent.piece_size;
  if (pieces == 1) {
    torrent.piece_hashes = {root};
    return {};
  }
  const auto* layer = layers->find(as_text(root.bytes), Type::string);
  if (layer == nullptr || layer->string.size() != pieces * sizeof(Digest))
    return bad("the piece layer is missing or has the wrong size");
  torrent.piece_hashes.reserve(pieces);
  for (std::size_t i = 0; i < pieces; ++i)
    torrent.piece_hashes.push_back(
        *Digest::from_bytes(layer->string.subspan(i * sizeof(Digest), sizeof(Digest))));
  if (root_of(torrent.piece_hashes, torrent.piece_size) != root)
    return bad("the piece layer does not hash to the file's root");
  return {};
}

}  // namespace

Bytes make_torrent(const TorrentInput& input) {
  assert(input.image_size / input.piece_size == input.piece_hashes.size());
  Digest root = root_of(input.piece_hashes, input.piece_size);
  BencodeWriter torrent;
  torrent.begin_dictionary();
  if (!input.trackers.empty()) torrent.string("announce").string(input.trackers.front());
  if (input.trackers.size() > 1) {
    torrent.string("announce-list").begin_list();
    for (const std::string& tracker : input.trackers) torrent.begin_list().string(tracker).end();
    torrent.end();
  }
  torrent.string("info").raw(make_info(input, root));
  torrent.string("piece layers").begin_dictionary();
  if (input.piece_hashes.size() > 1) torrent.string(root.bytes).string(join(input.piece_hashes));
  return torrent.end().end().take();
}

Result<Torrent> parse_torrent(ByteView bytes) {
  if (bytes.size() > kMaxTorrentBytes)
    return fail(ErrorKind::too_large,
                fmt::format("torrent: {} bytes, more than {}", bytes.size(), kMaxTorrentBytes));
  SHOAL_ASSIGN(auto outer, parse_bencode(bytes));
  const auto* info = outer.find("info", Type::dictionary);
  if (info == nullptr) return bad("'info' is missing");
  const auto* version = info->find("meta version", Type::integer);
  if (version == nullptr || version->integer != 2)
    return fail(ErrorKind::unsupported_version, "torrent: it is not a BitTorrent v2 torrent");
  const auto* piece_size = info->find("piece length", Type::integer);
  if (piece_size == nullptr || piece_size->integer < kMinPieceSize ||
      piece_size->integer > kMaxPieceSize ||
      !std::has_single_bit(static_cast<std::uint64_t>(piece_size->integer)))
    return bad("the piece size is not a power of two from 16 KiB to 16 MiB");
  Torrent torrent;
  torrent.piece_size = static_cast<std::uint32_t>(piece_size->integer);
  SHOAL_ASSIGN(auto root, parse_file(*info, torrent));
  SHOAL_TRY(parse_layer(outer, root, torrent));
  SHOAL_ASSIGN(torrent.trackers, parse_trackers(outer));
  torrent.info_hash = sha256(info->raw);
  if (const auto* v1 = info->find("pieces", Type::string)) {
    if (v1->string.size() != torrent.piece_hashes.size() * sizeof(Sha1Digest))
      return bad("the v1 piece hashes have the wrong size");
    torrent.v1_info_hash = sha1(info->raw);
  }
  return torrent;
}

}  // namespace shoal::content
