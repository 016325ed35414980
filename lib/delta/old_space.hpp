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
  // What `base` has, which outlives this, and `more` behind it.
  OldSpace(const OldSpace& base, std::vector<const ByteSource*> more);

  std::uint64_t size() const { return starts_.back(); }
  std::size_t file_count() const { return base_count_ + files_.size(); }
  const ByteSource& file(std::size_t index) const {
    return index < base_count_ ? base_->file(index) : *files_[index - base_count_];
  }
  std::uint64_t start(std::size_t index) const {
    return index < base_count_ ? base_->start(index) : starts_[index - base_count_];
  }
  // The file that holds the position; position < size().
  std::size_t file_at(std::uint64_t position) const;

 private:
  void place(std::uint64_t start);

  const OldSpace* base_ = nullptr;
  std::size_t base_count_ = 0;
  std::vector<const ByteSource*> files_;
  std::vector<std::uint64_t> starts_;  // of each file, and the end
};

}  // namespace shoal::delta
