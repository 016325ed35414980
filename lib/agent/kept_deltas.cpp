// The document "kept_deltas" is CBOR: version, since, trackers, dht_allowed, and for each delta its
// component, size, torrent and stamp. It may tell of files that are gone: they offer nothing.
#include "agent/kept_deltas.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "content/torrent.hpp"
#include "install/kept_delta.hpp"

namespace shoal::agent {
namespace {

using nlohmann::json;

constexpr const char* kDocument = "kept_deltas";

struct Delta {
  std::string component;
  std::uint64_t size = 0;
  Bytes torrent;
  FileStamp stamp;
};

struct Record {
  std::string version;
  UtcSeconds since{};
  std::vector<std::string> trackers;
  bool dht_allowed = false;
  std::vector<Delta> deltas;
};

Bytes format_record(const Record& record) {
  json out = {{"version", record.version},
              {"since", record.since.time_since_epoch().count()},
              {"trackers", record.trackers},
              {"dht_allowed", record.dht_allowed},
              {"deltas", json::array()}};
  for (const auto& delta : record.deltas)
    out["deltas"].push_back({delta.component, delta.size, json::binary(delta.torrent),
                             json::binary(install::format_stamps({delta.stamp}))});
  return json::to_cbor(out);
}

Result<Record> parse_record(ByteView bytes) {
  Record record;
  try {
    auto in = json::from_cbor(bytes.begin(), bytes.end());
    record.version = in.at("version").get<std::string>();
    record.since = UtcSeconds(std::chrono::seconds(in.at("since").get<std::int64_t>()));
    record.trackers = in.at("trackers").get<std::vector<std::string>>();
    record.dht_allowed = in.at("dht_allowed").get<bool>();
    for (const auto& delta : in.at("deltas")) {
      SHOAL_ASSIGN(auto stamps, install::parse_stamps(delta.at(3).get_binary()));
      if (stamps.size() != 1) return fail(ErrorKind::state_corrupt, "kept deltas: no stamp");
      record.deltas.push_back({delta.at(0).get<std::string>(), delta.at(1).get<std::uint64_t>(),
                               Bytes(delta.at(2).get_binary()), stamps.front()});
    }
  } catch (const json::exception& error) {
    return fail(ErrorKind::state_corrupt, fmt::format("kept deltas: {}", error.what()));
  }
  return record;
}

// The torrent's, and what it does not say of the file.
Result<content::DeltaArtifact> artifact_of(const Delta& delta) {
  SHOAL_ASSIGN(auto torrent, content::parse_torrent(delta.torrent));
  content::DeltaArtifact artifact;
  artifact.size = delta.size;
  artifact.piece_size = torrent.piece_size;
  artifact.info_hash = torrent.info_hash;
  if (artifact.size == 0 || artifact.image_size() != torrent.image_size)
    return fail(ErrorKind::state_corrupt, "kept deltas: a torrent of another size");
  return artifact;
}

}  // namespace

Result<std::optional<store::Document>> keep_deltas(const Context& context,
                                                   const KeepRequest& request,
                                                   const LoadedRelease& release,
                                                   const std::vector<FetchedDelta>& fetched) {
  SHOAL_TRY(install::discard_kept(*request.library, release.product));
  Record record;
  record.version = release.version;
  record.since = context.clock.now();
  record.trackers = release.trackers;
  record.dht_allowed = release.dht_allowed;
  SHOAL_ASSIGN(const auto free_bytes, request.library->free_bytes());
  Retention deltas{request.consent, {}, 0, free_bytes, request.limit, request.claimed_bytes};
  for (const auto& delta : fetched) deltas.bytes += delta.loaded.artifact->size;
  if (!is_worth_keeping(deltas)) return std::optional<store::Document>{};
  for (const auto& [component, loaded, image] : fetched) {
    image->hold_writes();  // what a peer sent late must not change the stamp
    SHOAL_ASSIGN(auto stamp, install::keep_delta(*request.library, request.change,
                                                 {release.product, release.version, component}));
    record.deltas.push_back({component, loaded.artifact->size, loaded.torrent, stamp});
  }
  return store::Document{kDocument, format_record(record)};
}

Result<std::optional<KeptDeltas>> load_kept_deltas(const Context& context,
                                                   const store::InstallRow& row,
                                                   const BeneathDir& library, bool dht) {
  SHOAL_ASSIGN(auto document, context.store.document(row.id, kDocument));
  if (!document) return std::optional<KeptDeltas>{};
  SHOAL_ASSIGN(auto record, parse_record(*document));
  KeptDeltas kept{record.version, record.since, 0, 0, {}};
  for (auto& delta : record.deltas) {
    SHOAL_ASSIGN(auto artifact, artifact_of(delta));
    ArtifactSource source;
    source.id = artifact.info_hash;
    source.torrent = std::move(delta.torrent);
    source.image = install::kept_image(library, {row.product, record.version, delta.component},
                                       artifact, delta.stamp);
    source.trackers = record.trackers;
    source.dht_allowed = record.dht_allowed && dht;
    auto have = source.image->complete_pieces();
    if (have.count() == 0) continue;
    kept.bytes += delta.size;
    kept.artifacts.push_back(std::make_shared<Artifact>(context, std::move(source), std::move(have),
                                                        transfer::BlockMap{}));
  }
  SHOAL_ASSIGN(kept.free_bytes, library.free_bytes());
  return kept;
}

Result<std::optional<store::Document>> kept_deltas_document(store::Store& store,
                                                            std::int64_t install) {
  SHOAL_ASSIGN(auto bytes, store.document(install, kDocument));
  if (!bytes) return std::optional<store::Document>{};
  return store::Document{kDocument, std::move(*bytes)};
}

}  // namespace shoal::agent
