// Any page of what a raw deflate stream (RFC 1951) holds, without keeping the others: what zlib
// knows where a page begins is kept instead, about 40 KiB. Private to the codec.
#pragma once

#include <memory>
#include <vector>

#include "delta/byte_source.hpp"

namespace shoal::delta {

class PagedInflater {
 public:
  static constexpr std::uint64_t kPageBytes = 1 << 20;  // the last page is shorter

  // The stream is bytes [begin, end) of `packed`, which outlives this, and holds exactly
  // `plain_size` bytes.
  PagedInflater(const ByteSource& packed, std::uint64_t begin, std::uint64_t end,
                std::uint64_t plain_size);
  ~PagedInflater();
  PagedInflater(const PagedInflater&) = delete;
  PagedInflater& operator=(const PagedInflater&) = delete;

  std::uint64_t page_size(std::uint64_t number) const {
    return std::min(kPageBytes, plain_size_ - number * kPageBytes);
  }
  // Page `number`, of page_size(number) bytes. Errors: the source's; metadata_invalid when the
  // stream does not hold what it should.
  Result<void> read(std::uint64_t number, MutableByteView out);

 private:
  struct State;

  Result<void> go_to(std::uint64_t number);
  Result<void> inflate_next(MutableByteView out);

  const ByteSource& packed_;
  const std::uint64_t begin_;
  const std::uint64_t end_;
  const std::uint64_t plain_size_;
  std::unique_ptr<State> now_;  // at the beginning of page next_
  std::uint64_t next_ = 0;
  std::vector<std::unique_ptr<State>> states_;  // at the beginning of page i + 1
};

}  // namespace shoal::delta
