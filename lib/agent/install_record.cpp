// Documents of an install: "release.json", "source.json" (mirrors, trackers, selected components)
// and for each component "<name>.torrent", ".index", ".recipes" and ".stamps".
// Deltas have a document of their own (kept_deltas.cpp).
#include "agent/install_record.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/words.hpp"

namespace shoal::agent {
namespace {

using nlohmann::json;

Result<Bytes> required(store::Store& store, std::int64_t install, const std::string& name) {
  SHOAL_ASSIGN(auto bytes, store.document(install, name));
  if (!bytes)
    return fail(ErrorKind::state_corrupt,
                fmt::format("install {}: the document '{}' is missing", install, name));
  return std::move(*bytes);
}

// What the manifest says of an artifact.
struct Geometry {
  Digest info_hash;
  std::uint32_t piece_size = 0;
  std::uint64_t image_size = 0;
};

Result<void> check_agreement(const Geometry& manifest, const content::Torrent& torrent,
                             const content::EdgeIndex& index, const std::string& what) {
  const auto pieces = manifest.image_size / manifest.piece_size;
  bool agrees =
      torrent.info_hash == manifest.info_hash && torrent.piece_size == manifest.piece_size &&
      torrent.image_size == manifest.image_size && index.piece_size == manifest.piece_size &&
      torrent.piece_hashes.size() == pieces && index.pieces.size() == pieces;
  if (agrees) return {};
  return fail(ErrorKind::metadata_invalid,
              fmt::format("{}: manifest, torrent and edge index disagree", what));
}

}  // namespace

transfer::Policy to_transfer(content::EdgePolicy policy) {
  switch (policy) {
    case content::EdgePolicy::fastest:
      return transfer::Policy::fastest;
    case content::EdgePolicy::balanced:
      return transfer::Policy::balanced;
    case content::EdgePolicy::thrifty:
      return transfer::Policy::thrifty;
  }
  return transfer::Policy::fastest;
}

Result<LoadedComponent> load_component(const content::Component& component, Bytes torrent,
                                       Bytes index, Bytes recipes) {
  LoadedComponent loaded;
  loaded.target.component = std::make_shared<content::Component>(component);
  loaded.artifact = component.content.info_hash;
  if (component.content.piece_count() > 0) {
    SHOAL_ASSIGN(auto parsed_torrent, content::parse_torrent(torrent));
    SHOAL_ASSIGN(auto parsed_index, content::parse_edge_index(index));
    const auto& content = component.content;
    SHOAL_TRY(check_agreement({content.info_hash, content.piece_size, content.image_size},
                              parsed_torrent, parsed_index,
                              fmt::format("component '{}'", component.name)));
    loaded.target.piece_hashes =
        std::make_shared<std::vector<Digest>>(std::move(parsed_torrent.piece_hashes));
    loaded.target.index = std::make_shared<content::EdgeIndex>(std::move(parsed_index));
  } else {
    loaded.target.piece_hashes = std::make_shared<std::vector<Digest>>();
    loaded.target.index = std::make_shared<content::EdgeIndex>();
  }
  content::Recipes parsed_recipes{.files = {component.files.size(), std::vector<content::Chunk>()}};
  if (!recipes.empty()) {
    SHOAL_ASSIGN(parsed_recipes, content::parse_recipes(recipes));
  }
  if (parsed_recipes.files.size() != component.files.size())
    return fail(ErrorKind::metadata_invalid,
                fmt::format("component '{}': the recipes are of another tree", component.name));
  loaded.target.recipes = std::make_shared<content::Recipes>(std::move(parsed_recipes));
  loaded.torrent = std::move(torrent);
  loaded.index = std::move(index);
  loaded.recipes = std::move(recipes);
  return loaded;
}

Result<LoadedDelta> load_delta(const content::DeltaArtifact& delta, Bytes torrent, ByteView index) {
  SHOAL_ASSIGN(auto parsed_torrent, content::parse_torrent(torrent));
  SHOAL_ASSIGN(auto parsed_index, content::parse_edge_index(index));
  SHOAL_TRY(check_agreement({delta.info_hash, delta.piece_size, delta.image_size()}, parsed_torrent,
                            parsed_index, fmt::format("delta from '{}'", delta.from)));
  LoadedDelta loaded;
  loaded.artifact = std::make_shared<content::DeltaArtifact>(delta);
  loaded.torrent = std::move(torrent);
  loaded.piece_hashes =
      std::make_shared<std::vector<Digest>>(std::move(parsed_torrent.piece_hashes));
  loaded.index = std::make_shared<content::EdgeIndex>(std::move(parsed_index));
  return loaded;
}

std::vector<store::Document> to_documents(const LoadedRelease& release,
                                          const std::vector<std::vector<FileStamp>>& stamps) {
  std::vector<store::Document> documents;
  json source = {{"mirrors", release.mirrors},
                 {"trackers", release.trackers},
                 {"dht_allowed", release.dht_allowed},
                 {"policy", word_of(kPolicyWords<transfer::Policy>, release.policy)},
                 {"components", json::array()}};
  for (std::size_t i = 0; i < release.components.size(); ++i) {
    const auto& component = release.components[i];
    const std::string& name = component.target.component->name;
    source["components"].push_back(name);
    documents.push_back({name + ".torrent", component.torrent});
    documents.push_back({name + ".index", component.index});
    documents.push_back({name + ".recipes", component.recipes});
    documents.push_back({name + ".stamps", install::format_stamps(stamps[i])});
  }
  documents.push_back({"source.json", to_bytes(source.dump())});
  documents.push_back({"release.json", release.release_json});
  return documents;
}

std::vector<install::InstalledComponent> InstallRecord::installed() const {
  std::vector<install::InstalledComponent> result;
  result.reserve(release.components.size());
  for (std::size_t i = 0; i < release.components.size(); ++i)
    result.push_back(
        {release.components[i].target.component, release.components[i].target.recipes, stamps[i]});
  return result;
}

Result<InstallRecord> load_record(store::Store& store, std::int64_t install) {
  InstallRecord record;
  SHOAL_ASSIGN(auto source_bytes, required(store, install, "source.json"));
  SHOAL_ASSIGN(record.release.release_json, required(store, install, "release.json"));
  SHOAL_ASSIGN(auto release, content::parse_release(record.release.release_json));
  record.release.product = release.product;
  record.release.version = release.version;
  record.release.launch = release.launch;
  std::vector<std::string> names;
  try {
    auto source = json::parse(source_bytes);
    record.release.mirrors = source.at("mirrors").get<std::vector<std::string>>();
    record.release.trackers = source.at("trackers").get<std::vector<std::string>>();
    record.release.dht_allowed = source.at("dht_allowed").get<bool>();
    record.release.policy =
        value_of(kPolicyWords<transfer::Policy>, source.value("policy", std::string()))
            .value_or(transfer::Policy::fastest);
    names = source.at("components").get<std::vector<std::string>>();
  } catch (const json::exception& error) {
    return fail(ErrorKind::state_corrupt,
                fmt::format("install {}: source.json: {}", install, error.what()));
  }
  for (const auto& component : release.components) {
    if (std::find(names.begin(), names.end(), component.name) == names.end()) {
      record.all_components = false;
      continue;
    }
    SHOAL_ASSIGN(auto torrent, required(store, install, component.name + ".torrent"));
    SHOAL_ASSIGN(auto index, required(store, install, component.name + ".index"));
    SHOAL_ASSIGN(auto recipes, required(store, install, component.name + ".recipes"));
    SHOAL_ASSIGN(auto stamp_bytes, required(store, install, component.name + ".stamps"));
    SHOAL_ASSIGN(auto stamps, install::parse_stamps(stamp_bytes));
    if (stamps.size() != component.files.size())
      return fail(ErrorKind::state_corrupt,
                  fmt::format("install {}: stamps of another tree", install));
    SHOAL_ASSIGN(auto loaded, load_component(component, std::move(torrent), std::move(index),
                                             std::move(recipes)));
    record.release.components.push_back(std::move(loaded));
    record.stamps.push_back(std::move(stamps));
  }
  return record;
}

Result<void> save_stamps(store::Store& store, std::int64_t install, const LoadedRelease& release,
                         const std::vector<std::vector<FileStamp>>& stamps) {
  std::vector<store::Document> documents;
  documents.reserve(release.components.size());
  for (std::size_t i = 0; i < release.components.size(); ++i)
    documents.push_back({release.components[i].target.component->name + ".stamps",
                         install::format_stamps(stamps[i])});
  return store.put_documents(install, documents);
}

}  // namespace shoal::agent
