// Every file's layout is read once: it tells programs from plain data, and where their references
// are.
#include "delta/tree_side.hpp"

#include <algorithm>

#include "base/for_each.hpp"

namespace shoal::delta {
namespace {

void add(Side& side, ByteView file) {
  side.sources.emplace_back(file);
  side.files.push_back(file);
  side.finders.emplace_back();
  side.starts.push_back(side.starts.back() + file.size());
}

Result<std::shared_ptr<const ReferenceFinder>> finder_of(const ByteSource& source,
                                                         ExecutableLayout layout) {
  SHOAL_ASSIGN(auto finder, ReferenceFinder::make(source, std::move(layout)));
  return std::make_shared<ReferenceFinder>(std::move(finder));
}

}  // namespace

std::vector<Unit> Side::closed_stretches(std::size_t file) const {
  std::vector<Unit> stretches;
  std::uint64_t at = 0;
  for (auto one = std::ranges::lower_bound(members, file, {}, &OpenedMember::file);
       one != members.end() && one->file == file; ++one) {
    if (at < one->member.offset) stretches.push_back({file, at, one->member.offset - at});
    at = one->member.end();
  }
  if (at < files[file].size()) stretches.push_back({file, at, files[file].size() - at});
  return stretches;
}

Result<void> Side::open(OpenedMember member) {
  const auto& kept = members.emplace_back(std::move(member));
  add(*this, kept.plain);
  SHOAL_ASSIGN(finders.back(), finder_of(sources.back(), {}));
  return {};
}

Result<Side> look_at(const std::vector<ByteView>& files, WorkerPool* workers,
                     const StopToken& stop) {
  Side side;
  side.starts.push_back(0);
  side.tree_files = files.size();
  for (const auto& file : files) add(side, file);
  const auto look = [&](std::size_t i) -> Result<void> {
    SHOAL_TRY(stop.check());
    SHOAL_ASSIGN(auto layout, read_layout(side.sources[i]));
    SHOAL_ASSIGN(side.finders[i], finder_of(side.sources[i], std::move(layout)));
    return {};
  };
  SHOAL_TRY(for_each(workers, files.size(), look));
  return side;
}

}  // namespace shoal::delta
