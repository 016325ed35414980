// A compressed member of an old file, read as the bytes that were compressed. Private to the codec.
#pragma once

#include <vector>

#include "delta/old_space.hpp"

namespace shoal::delta {

// Where it is; see Member for what may be one.
struct OldMember {
  std::size_t file = 0;  // of the old space
  std::uint64_t offset = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t plain_size = 0;
};

// Inflated at the first read and kept until it is released. For one thread at a time.
class MemberSource final : public ByteSource {
 public:
  // The file outlives the source and has these bytes.
  MemberSource(const ByteSource& file, const OldMember& member) : file_(file), member_(member) {}

  std::uint64_t size() const override { return member_.plain_size; }
  // Errors: the file's; metadata_invalid when it holds no such member (any more).
  Result<void> read(std::uint64_t offset, MutableByteView out) const override;
  void release() { plain_ = {}; }

 private:
  const ByteSource& file_;
  const OldMember member_;
  mutable Bytes plain_;
};

// The old files, and behind them the members that a part is made from.
class MemberSpace {
 public:
  // `old` outlives this and has the members.
  MemberSpace(const OldSpace& old, const std::vector<OldMember>& members);
  MemberSpace(const MemberSpace&) = delete;
  MemberSpace& operator=(const MemberSpace&) = delete;

  const OldSpace& space() const { return space_; }
  // Gives back the memory of what was read.
  void release();

 private:
  std::vector<MemberSource> sources_;
  const OldSpace space_;
};

}  // namespace shoal::delta
