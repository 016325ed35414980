// From a tree to everything a release consists of, but for the signatures: each file is read once,
// and merkle leaves, chunks and frames are made in that one pass, on all cores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "content/edge_index.hpp"
#include "content/manifest.hpp"
#include "content/torrent.hpp"

namespace shoal::publish {

// An earlier artifact of the repository: its pieces are never stored again.
struct EarlierArtifact {
  std::vector<Digest> piece_hashes;
  content::EdgeIndex index;
};

struct BuildOptions {
  std::string product;
  std::string version;
  std::string component = "base";
  std::vector<std::string> platforms;
  std::vector<std::string> trackers;
  bool hybrid = false;
  bool allow_outside_links = false;
  int zstd_level = 0;            // 0: the default of the format's specification
  std::uint32_t piece_size = 0;  // 0: content::choose_piece_size
  std::vector<EarlierArtifact> earlier;
};

// A small file to be signed as a TUF target.
struct TargetFile {
  std::string path;  // "<product>/<version>/release.json", …
  Bytes bytes;
};

struct BuildStatistics {
  std::uint64_t files = 0;
  std::uint64_t tree_bytes = 0;
  std::uint64_t image_bytes = 0;
  std::uint64_t edge_bytes = 0;        // stored size of all pieces of this release
  std::uint64_t new_bundle_bytes = 0;  // written by this run
  std::uint64_t reused_pieces = 0;     // already in earlier bundles
};

struct BuiltRelease {
  content::Release release;
  std::vector<TargetFile> targets;
  BuildStatistics statistics;
  std::vector<std::string> warnings;  // names that differ only in case, …
};

using BuildProgress = std::function<void(std::uint64_t bytes_read, std::uint64_t bytes_total)>;

// Writes new bundles beneath `repository`/bundles (immutable, atomically, named by their SHA-256)
// and returns the rest. Errors: path_*, unsupported_file_type (FIFO, device, socket: named),
// io_error (also a file that changes while it is read), disk_full, cancelled (by `stop`; nothing
// but whole bundles that the next publisher removes is left behind).
Result<BuiltRelease> build_release(const std::filesystem::path& repository,
                                   const std::filesystem::path& tree, const BuildOptions& options,
                                   WorkerPool& pool, const BuildProgress& progress = {},
                                   const StopToken& stop = {});

// Writes the content image of a component out, reading pieces from the repository's bundles and
// checking each. For stock BitTorrent seed boxes.
Result<void> write_image(const std::filesystem::path& repository, const content::Torrent& torrent,
                         const content::EdgeIndex& index, const std::filesystem::path& output);

}  // namespace shoal::publish
