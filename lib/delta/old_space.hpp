// The old files of a delta, one after another: covers name old bytes by their position there.
#pragma once

#include <cstdint>
#include <vector>

#include "delta/byte_source.hpp"

namespace shoal::delta {

class OldSpace {
 public:
  // The sources stay the caller's and outlive the space.
  explicit OldSpace(std::vector<const ByteSource*> files);

  std::uint64_t size() const { return starts_.back(); }
  std::size_t file_count() const { return files_.size(); }
  const ByteSource& file(std::size_t index) const { return *files_[index]; }
  std::uint64_t start(std::size_t index) const { return starts_[index]; }
  // The file that holds the position; position < size().
  std::size_t file_at(std::uint64_t position) const;

 private:
  std::vector<const ByteSource*> files_;
  std::vector<std::uint64_t> starts_;  // of each file, and the end
};

}  // namespace shoal::delta
