// Old bytes, read at any place: a file, or memory in tests. The interface belongs to the codec; its
// callers stand files behind it.
#pragma once

#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::delta {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;
  // Exactly out.size() bytes at the offset; the range lies within size(). Callable from any thread.
  virtual Result<void> read(std::uint64_t offset, MutableByteView out) const = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(ByteView bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override {
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  ByteView bytes_;  // of the caller
};

}  // namespace shoal::delta
