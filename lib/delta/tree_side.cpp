// Every file's layout is read once: it tells programs from plain data, and where their references
// are.
#include "delta/tree_side.hpp"

namespace shoal::delta {

Result<Side> look_at(const std::vector<ByteView>& files, const StopToken& stop) {
  Side side{files, {}, {}, {0}};
  for (const auto& file : files) side.sources.emplace_back(file);
  for (std::size_t i = 0; i < files.size(); ++i) {
    SHOAL_TRY(stop.check());
    SHOAL_ASSIGN(auto layout, read_layout(side.sources[i]));
    SHOAL_ASSIGN(auto finder, ReferenceFinder::make(side.sources[i], std::move(layout)));
    side.finders.push_back(std::make_shared<ReferenceFinder>(std::move(finder)));
    side.starts.push_back(side.starts.back() + files[i].size());
  }
  return side;
}

}  // namespace shoal::delta
