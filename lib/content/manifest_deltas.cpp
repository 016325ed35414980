// One object for each version that a delta leads from; checked like the content artifact.
#include "content/manifest_deltas.hpp"

#include <algorithm>
#include <bit>

namespace shoal::content {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kDeltaFormat = 5;
constexpr std::size_t kMaxDeltas = 1024;  // more than there are versions worth coming from
constexpr std::size_t kMaxText = 4096;

Result<std::string> target_field(const JsonFields& fields, const char* key) {
  SHOAL_ASSIGN(auto text, fields.text(key, kMaxText));
  if (!RelativePath::parse(text)) return fields.bad(key, "is not a relative path");
  return text;
}

Result<DeltaArtifact> parse_delta(const JsonFields& fields) {
  DeltaArtifact delta;
  SHOAL_ASSIGN(delta.from, fields.text("from", kMaxText));
  SHOAL_TRY(check_name("version", delta.from));
  SHOAL_ASSIGN(delta.size, fields.number_or("size", kMaxDeltaBytes, 0));
  if (delta.size == 0) return fields.bad("size", "is missing or 0");
  SHOAL_ASSIGN(const auto piece_size, fields.number_or("piece_size", kMaxPieceSize, 0));
  if (piece_size < kMinPieceSize || !std::has_single_bit(piece_size))
    return fields.bad("piece_size", "is not a power of two from 16 KiB to 16 MiB");
  delta.piece_size = static_cast<std::uint32_t>(piece_size);
  if (delta.image_size() / piece_size > kMaxPieces) return fields.bad("size", "is too many pieces");
  SHOAL_ASSIGN(const auto hash, fields.text("info_hash", 64));
  const auto digest = Digest::from_hex(hash);
  if (!digest) return fields.bad("info_hash", "is not a SHA-256 digest in hexadecimal");
  delta.info_hash = *digest;
  SHOAL_ASSIGN(delta.torrent_target, target_field(fields, "torrent"));
  SHOAL_ASSIGN(delta.index_target, target_field(fields, "index"));
  SHOAL_ASSIGN(delta.edge_bytes, fields.number_or("edge_bytes", kMaxDeltaBytes, 0));
  return delta;
}

}  // namespace

std::uint64_t DeltaArtifact::image_size() const {
  return (size + piece_size - 1) / piece_size * piece_size;
}

ordered_json deltas_json(const std::vector<DeltaArtifact>& deltas) {
  ordered_json out = ordered_json::array();
  for (const auto& delta : deltas)
    out.push_back({{"format", kDeltaFormat},
                   {"from", delta.from},
                   {"size", delta.size},
                   {"piece_size", delta.piece_size},
                   {"info_hash", delta.info_hash.hex()},
                   {"torrent", delta.torrent_target},
                   {"index", delta.index_target},
                   {"edge_bytes", delta.edge_bytes}});
  return out;
}

Result<std::vector<DeltaArtifact>> parse_deltas(const JsonFields& component) {
  SHOAL_ASSIGN(const json* items, component.array("deltas", kMaxDeltas));
  std::vector<DeltaArtifact> deltas;
  for (const json& item : *items) {
    SHOAL_ASSIGN(auto fields, JsonFields::of(item, "a delta of release.json"));
    SHOAL_ASSIGN(const auto format, fields.number_or("format", UINT64_MAX, 0));
    if (format != kDeltaFormat) continue;
    SHOAL_ASSIGN(auto delta, parse_delta(fields));
    if (std::ranges::any_of(deltas, [&](const auto& known) { return known.from == delta.from; }))
      return fields.bad("from", "is that of another delta, too");
    deltas.push_back(std::move(delta));
  }
  return deltas;
}

}  // namespace shoal::content
