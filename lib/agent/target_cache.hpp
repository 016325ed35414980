// The small signed files that a repository is asked for again and again, as they were when last
// read: a refresh that finds nothing new fetches none of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/sha256.hpp"

namespace shoal::agent {

// One file in the folder for each target. One thread at a time.
class TargetCache {
 public:
  explicit TargetCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // What is kept of the target, if it still has that hash.
  std::optional<Bytes> find(const std::string& target, const Digest& sha256) const;
  // What was kept of it last, whatever it is now: a hint.
  std::optional<Bytes> last(const std::string& target) const;
  // A file that cannot be written is fetched again next time; nothing else depends on it.
  void keep(const std::string& target, ByteView bytes) const;

 private:
  std::filesystem::path file_of(const std::string& target) const;

  std::filesystem::path folder_;
};

}  // namespace shoal::agent
