// The small signed files that a repository is asked for again and again, as they were when last
// read: a refresh that finds nothing new fetches none of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/sha256.hpp"
#include "trust/metadata_store.hpp"

namespace shoal::agent {

// One file for each target. One thread at a time.
class TargetCache {
 public:
  // The files must outlive this.
  explicit TargetCache(trust::MetadataStore& files) : files_(files) {}

  // What is kept of the target, if it still has that hash.
  std::optional<Bytes> find(const std::string& target, const Digest& sha256) const;
  // What was kept of it last, whatever it is now: a hint.
  std::optional<Bytes> last(const std::string& target) const;
  // A file that cannot be written is fetched again next time; nothing else depends on it.
  void keep(const std::string& target, ByteView bytes) const;

 private:
  trust::MetadataStore& files_;
};

}  // namespace shoal::agent
