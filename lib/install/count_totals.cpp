// The figures of a plan, and what of the chunks is worth its copying. What must be fetched is
// counted in 16 KiB blocks, for that is what peers send; what the edge would send, in frames of its
// index.
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

std::uint64_t image_begin(const Plan& plan, const ReuseSource& source) {
  const auto& files = plan.components[source.component].target.component->files;
  return files[source.file.value()].offset + source.offset;
}

// A block is fetched whole unless all of it is here: what a chunk has of other blocks would be
// written only to be written over. Those are its first and last at most, the others being its own.
void drop_useless_bytes(Plan& plan, const std::vector<Coverage>& coverage) {
  auto is_useless = [&](ReuseSource& source) {
    const auto& covered = coverage[source.component];
    std::uint64_t begin = image_begin(plan, source);
    std::uint64_t end = begin + source.chunk.length;
    std::uint64_t second = (begin / kBlockSize + 1) * kBlockSize;
    std::uint64_t last = (end - 1) / kBlockSize * kBlockSize;
    if (!covered.has_block(begin / kBlockSize))
      source.skip_front = static_cast<std::uint32_t>(std::min(second, end) - begin);
    if (!covered.has_block(last / kBlockSize))
      source.skip_back = static_cast<std::uint32_t>(end - std::max(last, begin));
    return source.skip_front + source.skip_back >= source.chunk.length;
  };
  std::erase_if(plan.reuse, is_useless);
}

}  // namespace

void count_totals(Plan& plan, bool clones) {
  auto coverage = coverage_of(plan);
  drop_useless_bytes(plan, coverage);
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
  for (const auto& source : plan.reuse) totals.reuse_bytes += useful_bytes(source);
  for (std::size_t c = 0; c < plan.components.size(); ++c)
    count_missing(plan.components[c], coverage[c], totals);
  totals.removed_files = plan.remove_files.size();
  plan.totals = totals;
}

}  // namespace shoal::install
