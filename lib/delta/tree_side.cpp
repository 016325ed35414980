// Every file's layout is read once: it tells programs from plain data, and where their references
// are.
#include "delta/tree_side.hpp"

#include <algorithm>

namespace shoal::delta {
namespace {

Result<void> add(Side& side, ByteView file, ExecutableLayout layout) {
  const auto& source = side.sources.emplace_back(file);
  SHOAL_ASSIGN(auto finder, ReferenceFinder::make(source, std::move(layout)));
  side.finders.push_back(std::make_shared<ReferenceFinder>(std::move(finder)));
  side.files.push_back(file);
  side.starts.push_back(side.starts.back() + file.size());
  return {};
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
  return add(*this, kept.plain, {});
}

Result<Side> look_at(const std::vector<ByteView>& files, const StopToken& stop) {
  Side side;
  side.starts.push_back(0);
  side.tree_files = files.size();
  for (const auto& file : files) {
    SHOAL_TRY(stop.check());
    SHOAL_ASSIGN(auto layout, read_layout(MemorySource(file)));
    SHOAL_TRY(add(side, file, std::move(layout)));
  }
  return side;
}

}  // namespace shoal::delta
