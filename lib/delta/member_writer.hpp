// Makes a compressed member as it stands in its new file. Private to the codec.
#pragma once

#include <functional>
#include <optional>

#include "delta/deflate.hpp"
#include "delta/png_chunks.hpp"
#include "delta/prediction.hpp"

namespace shoal::delta {

class MemberWriter {
 public:
  // Bytes of the member, from its offset `at` on.
  using Write = std::function<Result<void>(std::uint64_t at, ByteView bytes)>;

  explicit MemberWriter(const Packing& packing);

  // The plain bytes, in order. Errors: metadata_invalid when they are not packed as the packing
  // says, which another zlib may do; write's.
  Result<void> add(ByteView plain, bool last, const Write& write);

 private:
  Result<void> frame(ByteView stream, const Write& write);
  Result<void> put(ByteView bytes, const Write& write);

  const Packing packing_;
  Deflater deflater_;
  std::optional<PngRowWriter> row_;
  Bytes chunks_;               // made by the row, not written yet
  std::uint32_t adler32_ = 1;  // of the plain bytes so far
  std::uint64_t written_ = 0;
};

}  // namespace shoal::delta
