// Thin over libzstd's one-shot calls, which write into the caller's buffer directly and so need no
// window of their own: a frame cannot make the decoder allocate.
#include "content/zstd_frame.hpp"

#include <zstd.h>

#include <memory>
#include <new>

namespace shoal::content {
namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

template <typename Context>
Context* checked(const std::unique_ptr<Context, FreeContext>& context) {
  if (context == nullptr) throw std::bad_alloc();
  return context.get();
}

}  // namespace

Bytes zstd_pack(ByteView plain, int level) {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  // No room for anything that is not smaller: zstd then gives up by itself.
  if (plain.size() < 2) return {};
  thread_local Bytes buffer;
  buffer.resize(plain.size() - 1);
  std::size_t size = ZSTD_compressCCtx(checked(context), buffer.data(), buffer.size(), plain.data(),
                                       plain.size(), level);
  if (ZSTD_isError(size) != 0) return {};
  return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)};
}

std::optional<std::uint64_t> zstd_content_size(ByteView packed) {
  std::size_t length = ZSTD_findFrameCompressedSize(packed.data(), packed.size());
  if (ZSTD_isError(length) != 0 || length != packed.size()) return std::nullopt;
  unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) return std::nullopt;
  // A skippable frame has size 0 and is no frame of data.
  if (size == 0) return std::nullopt;
  return size;
}

bool zstd_unpack(ByteView packed, MutableByteView out) {
  if (zstd_content_size(packed) != out.size()) return false;
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  std::size_t size =
      ZSTD_decompressDCtx(checked(context), out.data(), out.size(), packed.data(), packed.size());
  return ZSTD_isError(size) == 0 && size == out.size();
}

}  // namespace shoal::content
