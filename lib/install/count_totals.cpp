// The figures of a plan, and which chunks are worth their copying. What must be fetched is counted
// in 16 KiB blocks, for that is what peers send; what the edge would send, in frames of its index.
#include "install/coverage.hpp"
#include "install/old_tree.hpp"

namespace shoal::install {
namespace {

using content::kBlockSize;

constexpr std::uint64_t kDiskBlock = 4096;  // what a small file takes on common file systems

bool is_written(FileOrigin origin) {
  switch (origin) {
    case FileOrigin::keep:
    case FileOrigin::move:
      return false;
    case FileOrigin::copy:
    case FileOrigin::assemble:
    case FileOrigin::empty:
    case FileOrigin::leave:
      return true;
  }
  return true;
}

bool is_there_whole(FileOrigin origin) {
  return origin == FileOrigin::keep || origin == FileOrigin::move || origin == FileOrigin::copy;
}

// The frames of the piece that hold a missing block, as the edge stores them.
std::uint64_t edge_bytes_of(const content::EdgeIndex& index, PieceIndex piece,
                            const std::vector<bool>& blocks) {
  std::uint64_t bytes = 0;
  const auto& frames = index.pieces[piece.value()].frames;
  std::size_t per_frame = index.frame_size / kBlockSize;
  for (std::size_t frame = 0; frame < frames.size(); ++frame)
    for (std::size_t b = frame * per_frame; b < (frame + 1) * per_frame && b < blocks.size(); ++b)
      if (!blocks[b]) {
        bytes += frames[frame].stored_size;
        break;
      }
  return bytes;
}

void count_missing(const ComponentPlan& plan, const Coverage& coverage, PlanTotals& totals) {
  std::uint64_t fetch = coverage.missing_blocks() * kBlockSize;
  totals.fetch_bytes += fetch;
  if (!plan.target.index) {
    totals.edge_bytes += fetch;
    return;
  }
  for (std::uint32_t p = 0; p < plan.target.component->content.piece_count(); ++p)
    if (!coverage.has_piece(PieceIndex(p)))
      totals.edge_bytes +=
          edge_bytes_of(*plan.target.index, PieceIndex(p), coverage.blocks_of(PieceIndex(p)));
}

// What whole files and chunks will cover, by component.
std::vector<Coverage> coverage_of(const Plan& plan) {
  std::vector<Coverage> coverage;
  for (const auto& component : plan.components) {
    const auto& files = component.target.component->files;
    auto& covered = coverage.emplace_back(*component.target.component);
    for (std::size_t f = 0; f < files.size(); ++f)
      if (is_there_whole(component.files[f].origin)) covered.add(files[f].offset, files[f].size);
  }
  for (const auto& source : plan.reuse) {
    const auto& file =
        plan.components[source.component].target.component->files[source.file.value()];
    coverage[source.component].add(file.offset + source.offset, source.chunk.length);
  }
  return coverage;
}

// A block is fetched whole unless all of it is here: a chunk that completes none would be written
// only to be written over.
void drop_useless_chunks(Plan& plan, const std::vector<Coverage>& coverage) {
  std::erase_if(plan.reuse, [&](const ReuseSource& source) {
    const auto& file =
        plan.components[source.component].target.component->files[source.file.value()];
    std::uint64_t begin = file.offset + source.offset;
    std::uint64_t last = (begin + source.chunk.length - 1) / kBlockSize;
    for (std::uint64_t block = begin / kBlockSize; block <= last; ++block)
      if (coverage[source.component].has_block(block)) return false;
    return true;
  });
}

}  // namespace

void count_totals(Plan& plan, bool clones) {
  auto coverage = coverage_of(plan);
  drop_useless_chunks(plan, coverage);
  PlanTotals totals;
  for (const auto& component : plan.components) {
    const auto& files = component.target.component->files;
    for (std::size_t f = 0; f < files.size(); ++f) {
      FileOrigin origin = component.files[f].origin;
      totals.final_bytes += files[f].size;
      if (is_there_whole(origin)) totals.reuse_bytes += files[f].size;
      if (!is_written(origin) || (clones && origin == FileOrigin::copy)) continue;
      totals.write_bytes += files[f].size;
      totals.peak_extra_bytes += (files[f].size + kDiskBlock - 1) / kDiskBlock * kDiskBlock;
    }
  }
  for (const auto& source : plan.reuse) totals.reuse_bytes += source.chunk.length;
  for (std::size_t c = 0; c < plan.components.size(); ++c)
    count_missing(plan.components[c], coverage[c], totals);
  totals.removed_files = plan.remove_files.size();
  plan.totals = totals;
}

}  // namespace shoal::install
