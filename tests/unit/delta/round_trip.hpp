// Encodes and decodes in memory.
#pragma once

#include <gtest/gtest.h>

#include "delta/decode.hpp"
#include "delta/encode.hpp"

namespace shoal::delta::test {

using Files = std::vector<Bytes>;

inline std::vector<ByteView> views(const Files& files) { return {files.begin(), files.end()}; }

struct Made {
  Bytes delta;
  EncodeStatistics statistics;
};

inline Made make_delta(const Files& old_files, const Files& new_files,
                       std::uint64_t memory_bytes = EncodeOptions{}.memory_bytes,
                       WorkerPool* workers = nullptr) {
  Made made;
  EncodeOptions options;
  options.workers = workers;
  options.memory_bytes = memory_bytes;
  options.pack_rate = 0;  // for what is made to be the same on slow machines
  options.write = [&](ByteView bytes) -> Result<void> {
    made.delta.insert(made.delta.end(), bytes.begin(), bytes.end());
    return {};
  };
  auto statistics = encode(views(old_files), views(new_files), options);
  EXPECT_TRUE(statistics) << statistics.error().describe();
  if (statistics) made.statistics = *statistics;
  return made;
}

inline Result<Files> apply_delta(const Files& old_files, const std::vector<std::uint64_t>& sizes,
                                 ByteView delta, WorkerPool* workers = nullptr,
                                 std::function<bool()> leaves_out = {}) {
  std::vector<MemorySource> sources;
  for (const auto& file : old_files) sources.emplace_back(ByteView(file));
  std::vector<const ByteSource*> pointers;
  for (const auto& source : sources) pointers.push_back(&source);
  Files made;
  for (const auto size : sizes) made.emplace_back(size);
  DecodeOptions options;
  options.workers = workers;
  options.leaves_out = std::move(leaves_out);
  options.read = [&](MutableByteView out) -> Result<void> {
    if (out.size() > delta.size()) return fail(ErrorKind::metadata_invalid, "the delta ends early");
    std::copy_n(delta.begin(), out.size(), out.begin());
    delta = delta.subspan(out.size());
    return {};
  };
  options.write = [&](std::size_t file, std::uint64_t offset, ByteView bytes) -> Result<void> {
    if (file >= made.size() || offset + bytes.size() > made[file].size()) {
      return fail(ErrorKind::internal, "written beyond a file");
    }
    std::copy(bytes.begin(), bytes.end(), made[file].begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  };
  SHOAL_TRY(decode(pointers, sizes, options));
  if (!delta.empty()) return fail(ErrorKind::metadata_invalid, "bytes after the delta's end");
  return made;
}

inline std::vector<std::uint64_t> sizes_of(const Files& files) {
  std::vector<std::uint64_t> sizes;
  for (const auto& file : files) sizes.push_back(file.size());
  return sizes;
}

inline void expect_round_trip(const Files& old_files, const Files& new_files,
                              WorkerPool* workers = nullptr) {
  const auto made = make_delta(old_files, new_files);
  const auto applied = apply_delta(old_files, sizes_of(new_files), made.delta, workers);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_TRUE(*applied == new_files);
}

}  // namespace shoal::delta::test
