// The figures of a plan: what each way to a component's bytes would cost, which one is taken, and
// what of the chunks is worth its copying. What must be fetched is counted in 16 KiB blocks, for
// that is what peers send; what the edge would send, in frames of its index.
#include <algorithm>
#include <ranges>

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

void count_missing(const TargetComponent& target, const Coverage& coverage, WayCost& cost) {
  std::uint64_t fetch = coverage.missing_blocks() * kBlockSize;
  cost.fetch_bytes += fetch;
  if (!target.index) {
    cost.edge_bytes += fetch;
    return;
  }
  for (std::uint32_t p = 0; p < target.component->content.piece_count(); ++p)
    if (!coverage.has_piece(PieceIndex(p)))
      cost.edge_bytes +=
          edge_bytes_of(*target.index, PieceIndex(p), coverage.blocks_of(PieceIndex(p)));
}

std::uint64_t image_begin(const Plan& plan, const ReuseSource& source) {
  const auto& files = plan.components[source.component].target.component->files;
  return files[source.file.value()].offset + source.offset;
}

// The chunks of one component.
auto chunks_of(const Plan& plan, std::uint32_t component) {
  return std::ranges::equal_range(plan.reuse, component, {}, &ReuseSource::component);
}

bool is_by_delta(const ComponentPlan& plan, FileIndex file, Way way) {
  return way == Way::delta && plan.files[file.value()].by_delta;
}

// What will be there before anything is fetched but a delta.
Coverage coverage_of(const Plan& plan, std::uint32_t c, Way way) {
  const auto& component = plan.components[c];
  const auto& files = component.target.component->files;
  Coverage coverage(*component.target.component);
  for (std::uint32_t f = 0; f < files.size(); ++f)
    if (is_there_whole(component.files[f].origin) || is_by_delta(component, FileIndex(f), way))
      coverage.add(files[f].offset, files[f].size);
  if (way == Way::full) return coverage;
  for (const auto& source : chunks_of(plan, c))
    if (!is_by_delta(component, source.file, way))
      coverage.add(image_begin(plan, source) + source.skip_front, useful_bytes(source));
  return coverage;
}

// A block is fetched whole unless all of it is here: what a chunk has of other blocks would be
// written only to be written over. Those are its first and last at most, the others being its own.
void drop_useless_bytes(Plan& plan) {
  std::vector<Coverage> coverage;
  coverage.reserve(plan.components.size());
  for (std::uint32_t c = 0; c < plan.components.size(); ++c)
    coverage.push_back(coverage_of(plan, c, Way::recipes));
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

std::uint64_t in_disk_blocks(std::uint64_t bytes) {
  return (bytes + kDiskBlock - 1) / kDiskBlock * kDiskBlock;
}

WayCost cost_of(const Plan& plan, std::uint32_t c, Way way, bool clones) {
  const auto& component = plan.components[c];
  const auto& files = component.target.component->files;
  WayCost cost;
  for (std::size_t f = 0; f < files.size(); ++f) {
    FileOrigin origin = component.files[f].origin;
    if (!is_written(origin) || (clones && origin == FileOrigin::copy)) continue;
    cost.write_bytes += files[f].size;
    cost.peak_extra_bytes += in_disk_blocks(files[f].size);
  }
  count_missing(component.target, coverage_of(plan, c, way), cost);
  if (way != Way::delta) return cost;
  const auto& delta = *component.target.delta;
  cost.fetch_bytes += delta.size;
  cost.edge_bytes += delta.edge_bytes;
  cost.write_bytes += delta.size;
  cost.peak_extra_bytes += in_disk_blocks(delta.size);
  return cost;
}

std::vector<WayOffer> offers_of(const Plan& plan, std::uint32_t c, bool clones) {
  std::vector<Way> ways = {Way::full};
  if (!chunks_of(plan, c).empty()) ways.push_back(Way::recipes);
  if (std::ranges::any_of(plan.components[c].files, &FilePlan::by_delta))
    ways.push_back(Way::delta);
  std::vector<WayOffer> offers;
  offers.reserve(ways.size());
  for (auto way : ways) offers.push_back({way, cost_of(plan, c, way, clones)});
  return offers;
}

// Chunks of files that a delta makes stay: it may prove useless.
void follow(Plan& plan, std::vector<WayChoice> choices) {
  for (std::size_t c = 0; c < choices.size(); ++c) {
    auto& component = plan.components[c];
    component.choice = std::move(choices[c]);
    if (component.choice.way == Way::delta) continue;
    for (auto& file : component.files) file.by_delta = false;
  }
  std::erase_if(plan.reuse, [&](const ReuseSource& source) {
    return plan.components[source.component].choice.way == Way::full;
  });
}

}  // namespace

void count_totals(Plan& plan, bool clones, std::uint64_t room_bytes) {
  drop_useless_bytes(plan);
  std::vector<std::vector<WayOffer>> offers;
  offers.reserve(plan.components.size());
  for (std::uint32_t c = 0; c < plan.components.size(); ++c)
    offers.push_back(offers_of(plan, c, clones));
  follow(plan, choose_ways(offers, room_bytes));
  PlanTotals totals;
  for (const auto& component : plan.components) {
    const auto& files = component.target.component->files;
    const auto& cost = component.choice.cost;
    totals.fetch_bytes += cost.fetch_bytes;
    totals.edge_bytes += cost.edge_bytes;
    totals.write_bytes += cost.write_bytes;
    totals.peak_extra_bytes += cost.peak_extra_bytes;
    for (std::size_t f = 0; f < files.size(); ++f) {
      totals.final_bytes += files[f].size;
      if (is_there_whole(component.files[f].origin)) totals.reuse_bytes += files[f].size;
      if (component.files[f].by_delta) totals.delta_bytes += files[f].size;
    }
  }
  for (const auto& source : plan.reuse)
    if (!plan.components[source.component].files[source.file.value()].by_delta)
      totals.reuse_bytes += useful_bytes(source);
  totals.removed_files = plan.remove_files.size();
  plan.totals = totals;
}

}  // namespace shoal::install
