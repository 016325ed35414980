// Each group's slices are read into memory, encoded, and forgotten again.
#include "delta/make_artifact.hpp"

namespace shoal::delta {
namespace {

using Contents = std::vector<Bytes>;

Result<Contents> read_slices(const std::vector<Slice>& slices, const MakeOptions::Read& read,
                             const StopToken& stop) {
  Contents contents;
  for (const auto& slice : slices) {
    SHOAL_TRY(stop.check());
    contents.emplace_back(slice.size);
    SHOAL_TRY(read(slice.file, slice.offset, contents.back()));
  }
  return contents;
}

std::vector<ByteView> views_of(const Contents& contents) {
  return {contents.begin(), contents.end()};
}

void add(EncodeStatistics& sum, const EncodeStatistics& more) {
  sum.literal_bytes += more.literal_bytes;
  sum.difference_bytes += more.difference_bytes;
  sum.reference_bytes += more.reference_bytes;
  sum.equal_bytes += more.equal_bytes;
  sum.wrong_references += more.wrong_references;
  sum.covers += more.covers;
  sum.members += more.members;
  sum.delta_bytes += more.delta_bytes;
  for (std::size_t i = 0; i < sum.stream_bytes.size(); ++i) {
    sum.stream_bytes[i] += more.stream_bytes[i];
  }
}

void add(FileCost& sum, const FileCost& more) {
  sum.new_bytes += more.new_bytes;
  sum.covered_bytes += more.covered_bytes;
  sum.moved_bytes += more.moved_bytes;
  sum.delta_bytes += more.delta_bytes;
}

}  // namespace

Result<MadeArtifact> make_artifact(const ChunkedTree& old_tree, const ChunkedTree& new_tree,
                                   const MakeOptions& options) {
  const auto shares = share_memory(options.memory_bytes);
  MadeArtifact made;
  made.head.groups = make_groups(
      old_tree, new_tree, options.group_bytes > 0 ? options.group_bytes : shares.group_bytes);
  made.files.resize(new_tree.files.size());
  const std::uint64_t total = made.head.new_bytes();
  std::uint64_t done = 0;
  for (auto& group : made.head.groups) {
    SHOAL_ASSIGN(const auto old_bytes,
                 read_slices(group.old_slices, options.read_old, options.stop));
    SHOAL_ASSIGN(const auto new_bytes,
                 read_slices(group.new_slices, options.read_new, options.stop));
    EncodeOptions encoding;
    encoding.memory_bytes = shares.codec_bytes;
    encoding.stop = options.stop;
    encoding.workers = options.workers;
    encoding.write = options.write;
    encoding.progress = [&](std::uint64_t bytes) {
      if (options.progress) options.progress(done + bytes, total);
    };
    SHOAL_ASSIGN(const auto statistics, encode(views_of(old_bytes), views_of(new_bytes), encoding));
    group.block_bytes = statistics.delta_bytes;
    add(made.statistics, statistics);
    for (std::size_t i = 0; i < statistics.files.size(); ++i) {
      add(made.files[group.new_slices[i].file.value()], statistics.files[i]);
    }
    for (const auto& bytes : new_bytes) done += bytes.size();
  }
  return made;
}

}  // namespace shoal::delta
