// A compressed member of an old file, read as the bytes that were compressed. Private to the codec.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "delta/old_space.hpp"
#include "delta/paged_inflate.hpp"
#include "delta/png_chunks.hpp"

namespace shoal::delta {

// Where it is; see Member for what may be one.
struct OldMember {
  std::size_t file = 0;  // of the old space
  std::uint64_t offset = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t plain_size = 0;
  bool in_png = false;  // the row of a PNG file's IDAT chunks; otherwise raw deflate
};

// Pages of the members that a part is made from: those read last.
class MemberPages {
 public:
  static constexpr std::uint64_t kMostBytes = 4 << 20;
  // How often a page may be read that is not there: from time to time each, whatever the order.
  static std::uint64_t budget(std::uint64_t plain_bytes) {
    return 256 + 16 * (plain_bytes / PagedInflater::kPageBytes);
  }

  explicit MemberPages(std::uint64_t reads_left) : reads_left_(reads_left) {}

  // Before a page is read. False: that was too often.
  bool take_read() {
    if (reads_left_ == 0) return false;
    --reads_left_;
    return true;
  }

  // Null: it is not there. Valid until the next call.
  const Bytes* find(const void* member, std::uint64_t number);
  const Bytes& add(const void* member, std::uint64_t number, Bytes page);
  void clear();

 private:
  struct Page {
    const void* member;
    std::uint64_t number;
    Bytes bytes;
  };
  std::uint64_t reads_left_;
  std::list<Page> recent_;  // the last one first
  std::uint64_t bytes_ = 0;
};

// Inflated page by page, as it is read. For one thread at a time.
class MemberSource final : public ByteSource {
 public:
  // The file and the pages outlive the source; the file has these bytes.
  MemberSource(const ByteSource& file, const OldMember& member, MemberPages& pages)
      : file_(file), member_(member), pages_(pages) {}

  std::uint64_t size() const override { return member_.plain_size; }
  // Errors: the file's; metadata_invalid when it holds no such member (any more).
  Result<void> read(std::uint64_t offset, MutableByteView out) const override;
  void release();

 private:
  Result<const Bytes*> page(std::uint64_t number) const;
  Result<void> open() const;

  const ByteSource& file_;
  const OldMember member_;
  MemberPages& pages_;
  mutable std::optional<PngRow> row_;
  mutable std::unique_ptr<PagedInflater> inflater_;
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
  MemberPages pages_;
  std::vector<MemberSource> sources_;
  const OldSpace space_;
};

}  // namespace shoal::delta
