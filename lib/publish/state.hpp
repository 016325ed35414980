// What a repository on disk says at the moment: its metadata in force, read and verified just as a
// client would, but without regard to expiry (an expired repository can be refreshed).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "content/edge_index.hpp"
#include "content/manifest.hpp"
#include "content/repository_info.hpp"
#include "content/torrent.hpp"
#include "publish/layout.hpp"
#include "trust/metadata.hpp"

namespace shoal::publish {

struct State {
  trust::Root root;
  trust::Timestamp timestamp;
  trust::Snapshot snapshot;
  trust::Targets targets;                          // the top level
  std::map<std::string, trust::Targets> products;  // by product id

  // Where a target is listed: the product's role for "<product>/…", else the top level. Null when
  // it is not.
  const trust::TargetMeta* find(const std::string& path) const;
};

// Whether there is a repository that can be read. Errors: not_found, with what to do: nothing is
// there, or it lost its root.json or its timestamp.
Result<void> check_is_repository(const Layout& layout);

// What to do about metadata that is damaged or lost.
inline constexpr const char* kPutBack =
    "Put the file back from a copy; 'check' lists everything that is damaged.";

// Errors: those of check_is_repository, metadata_invalid, signature_invalid,
// verification_failed, …
Result<State> load_state(const Layout& layout);

// A target's bytes, checked. Errors: not_found, verification_failed, io_error.
Result<Bytes> read_target(const Layout& layout, const State& state, const std::string& path);

Result<content::RepositoryInfo> read_repository_info(const Layout& layout, const State& state);
Result<content::ChannelList> read_channels(const Layout& layout, const State& state,
                                           const std::string& product);
// "<product>/<version>/release.json"
std::string release_target(const std::string& product, const std::string& version);
Result<content::Release> read_release(const Layout& layout, const State& state,
                                      const std::string& product, const std::string& version);
// The two signed descriptions of an artifact's bytes.
struct ArtifactFiles {
  content::Torrent torrent;
  content::EdgeIndex index;
};
Result<ArtifactFiles> read_artifact(const Layout& layout, const State& state,
                                    const content::ContentArtifact& artifact);
Result<ArtifactFiles> read_artifact(const Layout& layout, const State& state,
                                    const content::DeltaArtifact& artifact);

}  // namespace shoal::publish
