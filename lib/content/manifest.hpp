// release.json: what a release consists of. Written by `publish`, believed by the client because
// its hash is signed. Parsing validates: paths, sizes, offsets, layout and names that come out of
// parse_release() need no further check. Format: docs/formats/release.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/relative_path.hpp"
#include "base/sha256.hpp"
#include "base/strong.hpp"

namespace shoal::content {

inline constexpr std::uint32_t kBlockSize = 16 * 1024;  // BEP 52's leaf, BitTorrent's request unit
inline constexpr std::uint64_t kMaxReleaseJsonBytes = 256ULL << 20;  // ~1 million files
inline constexpr std::uint64_t kMaxDeltaBytes = 1ULL << 40;          // of one artifact
inline constexpr std::uint32_t kMinPieceSize = 16 * 1024;
inline constexpr std::uint32_t kMaxPieceSize = 16 << 20;
inline constexpr std::uint64_t kMaxPieces = 1ULL << 21;  // what BitTorrent clients accept

enum class FileClass {
  content,      // belongs to the publisher: a changed one is repaired, the user's copy moved aside
  config,       // kept if the user changed it
  create_once,  // written when absent, never touched again
};

struct FileEntry {
  RelativePath path;
  std::uint64_t size = 0;
  Digest root{};             // BEP 52 merkle root; zero digest for an empty file
  std::uint64_t offset = 0;  // of its first byte in the image; 0 for an empty file
  bool executable = false;
  FileClass file_class = FileClass::content;
};

struct SymlinkEntry {
  RelativePath path;
  std::string target;
};

// The content artifact: geometry of the image, and the names of its signed companions (TUF target
// paths). A component without a single byte has image_size 0, a zero info_hash, no companions
// (empty target names) and nothing to fetch.
struct ContentArtifact {
  std::uint32_t piece_size = 0;  // power of two, kMinPieceSize … kMaxPieceSize
  std::uint64_t image_size = 0;  // a whole number of pieces
  Digest info_hash;              // BitTorrent v2
  std::string torrent_target;
  std::string index_target;      // the edge index
  std::string recipes_target;    // the FastCDC recipes
  std::uint64_t edge_bytes = 0;  // what a whole fetch from the edge costs, compressed

  std::uint32_t piece_count() const {
    return piece_size == 0 ? 0 : static_cast<std::uint32_t>(image_size / piece_size);
  }
};

// A delta artifact: leads from that component of an earlier version to this one. Its image is the
// artifact (docs/formats/delta-artifact.md) and zeros up to a whole number of pieces.
struct DeltaArtifact {
  std::string from;              // the version
  std::uint64_t size = 0;        // of the artifact, not 0
  std::uint32_t piece_size = 0;  // as ContentArtifact's
  Digest info_hash;              // BitTorrent v2
  std::string torrent_target;
  std::string index_target;
  std::uint64_t edge_bytes = 0;  // what a whole fetch from the edge costs

  std::uint64_t image_size() const;
};

struct Component {
  std::string name;              // "base" when the publisher names none
  std::vector<FileEntry> files;  // sorted by path; also the empty ones
  std::vector<SymlinkEntry> symlinks;
  std::vector<RelativePath> directories;  // empty folders only
  ContentArtifact content;
  std::vector<DeltaArtifact> deltas;  // no two from the same version

  std::uint64_t total_bytes() const;  // sum of file sizes
};

struct Launch {  // what a launcher needs to start the product; all optional
  std::string executable;
  std::vector<std::string> arguments;
};

struct Release {
  std::string product;
  std::string version;
  std::vector<std::string> platforms;  // "linux", "windows", "macos"; empty: not said
  bool allow_outside_links = false;
  std::vector<std::string> trackers;
  std::vector<Component> components;
  Launch launch;
};

std::string format_release(const Release& release);
// Errors: metadata_invalid, path_invalid, path_collision, unsupported_version, too_large.
Result<Release> parse_release(ByteView json);

// Whether the release is marked for a platform whose file systems ignore case (Windows, macOS).
bool needs_distinct_case(const Release& release);

// Paths of a whole tree together: NFC, no two the same after normalisation, no file that is also a
// folder of another path, symlinks inside. Names that differ only in case are an error where
// `case_insensitive`, otherwise they are returned, for the publisher to report.
Result<std::vector<std::string>> check_tree_paths(const Release& release, bool case_insensitive);

}  // namespace shoal::content
