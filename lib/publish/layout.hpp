// Where everything of a repository lies on the publisher's disk; what a web server serves is the
// same tree. Format: docs/formats/repository.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.hpp"
#include "base/relative_path.hpp"
#include "base/sha256.hpp"
#include "trust/fetcher.hpp"

namespace shoal::publish {

inline constexpr const char* kTimestampName = "timestamp.json";
// "<version>.<role>.json"; a product's id needs no escaping on a disk.
std::string metadata_name(std::uint64_t version, const std::string& role);

class Layout {
 public:
  explicit Layout(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path metadata() const { return root_ / "metadata"; }
  std::filesystem::path targets() const { return root_ / "targets"; }
  std::filesystem::path bundles() const { return root_ / "bundles"; }
  // The copy of the newest root that is given to clients.
  std::filesystem::path root_copy() const { return root_ / "root.json"; }
  std::filesystem::path lock() const { return root_ / ".lock"; }
  // Proposals that wait for signatures; what they name is kept.
  std::filesystem::path pending() const { return root_ / ".pending"; }
  std::filesystem::path pending(const std::string& role) const {
    return pending() / (role + ".proposal");
  }
  // Files out of bundles while deltas are made.
  std::filesystem::path scratch() const { return root_ / ".scratch"; }
  // Changes places with metadata() when files must take effect together (see metadata_swap.hpp).
  std::filesystem::path staged_metadata() const { return root_ / ".staged-metadata"; }
  std::filesystem::path timestamp() const { return metadata() / kTimestampName; }
  std::filesystem::path metadata(std::uint64_t version, const std::string& role) const {
    return metadata() / metadata_name(version, role);
  }
  // Consistent snapshots: "<folder>/<hash>.<name>".
  std::filesystem::path target(const RelativePath& path, const Digest& hash) const;

 private:
  std::filesystem::path root_;
};

// Reads a repository on disk as a client reads it over the network.
class DirectoryFetcher final : public trust::Fetcher {
 public:
  explicit DirectoryFetcher(std::filesystem::path root) : root_(std::move(root)) {}
  Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                      std::uint64_t max_bytes) override;

 private:
  std::filesystem::path root_;
};

}  // namespace shoal::publish
