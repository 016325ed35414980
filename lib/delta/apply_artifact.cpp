// Slices stand before the decoder as if they were files; each group may read its own blocks only.
#include "delta/apply_artifact.hpp"

#include "delta/damaged.hpp"

namespace shoal::delta {
namespace {

class SliceSource final : public ByteSource {
 public:
  SliceSource(const ByteSource& file, const Slice& slice) : file_(file), slice_(slice) {}
  std::uint64_t size() const override { return slice_.size; }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override {
    return file_.read(slice_.offset + offset, out);
  }

 private:
  const ByteSource& file_;
  const Slice slice_;
};

}  // namespace

Result<void> apply_group(const Group& group, const ApplyOptions& options) {
  std::vector<SliceSource> sources;
  sources.reserve(group.old_slices.size());
  for (const auto& slice : group.old_slices) {
    sources.emplace_back(*options.old_files[slice.file.value()], slice);
  }
  std::vector<const ByteSource*> old_files;
  old_files.reserve(sources.size());
  for (const auto& source : sources) old_files.push_back(&source);
  std::vector<std::uint64_t> new_sizes;
  new_sizes.reserve(group.new_slices.size());
  for (const auto& slice : group.new_slices) new_sizes.push_back(slice.size);

  std::uint64_t left = group.block_bytes;
  DecodeOptions decoding;
  decoding.workers = options.workers;
  decoding.stop = options.stop;
  decoding.leaves_out = options.leaves_out;
  decoding.read = [&](MutableByteView out) -> Result<void> {
    if (out.size() > left) return bad("a group has more blocks than its head says");
    left -= out.size();
    return options.read(out);
  };
  decoding.write = [&](std::size_t index, std::uint64_t offset, ByteView bytes) {
    const auto& slice = group.new_slices[index];
    return options.write(slice.file, slice.offset + offset, bytes);
  };
  if (options.wants) {
    decoding.wants = [&](std::size_t index, std::uint64_t offset, std::uint64_t size) {
      const auto& slice = group.new_slices[index];
      return options.wants(slice.file, slice.offset + offset, size);
    };
  }
  SHOAL_TRY(decode(old_files, new_sizes, decoding));
  if (left != 0) return bad("a group has fewer blocks than its head says");
  return {};
}

Result<void> apply_artifact(const ArtifactHead& head, const ApplyOptions& options) {
  for (const auto& group : head.groups) SHOAL_TRY(apply_group(group, options));
  return {};
}

}  // namespace shoal::delta
