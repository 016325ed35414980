// What was hashed is what is read later: each file's stamp is compared whenever it is opened.
#include "publish/tree_sides.hpp"

#include <fmt/core.h>

namespace shoal::publish {

Result<std::unique_ptr<TreeSide>> TreeSide::read(const std::filesystem::path& folder,
                                                 WorkerPool& pool, const ReadTreeOptions& options) {
  SHOAL_ASSIGN(auto opened, BeneathDir::open(folder));
  std::unique_ptr<TreeSide> side(new TreeSide(std::move(opened)));
  SHOAL_ASSIGN(side->content_, read_tree(side->folder_, pool, options));
  return side;
}

Result<UniqueFd> TreeSide::open(FileIndex file) const {
  const auto& path = content_.component.files[file.value()].path;
  SHOAL_ASSIGN(auto fd, folder_.open_read(path));
  SHOAL_ASSIGN(const auto stamp, stamp_of(fd.get(), path.text()));
  if (stamp == content_.stamps[file.value()]) return fd;
  return fail(ErrorKind::io_error,
              fmt::format("'{}' in {} changed meanwhile", path.text(), folder_.name()),
              "Try again when nothing writes to the tree.");
}

Result<std::vector<std::string>> check_paths(const content::Component& tree,
                                             bool allow_outside_links) {
  content::Release release;
  release.allow_outside_links = allow_outside_links;
  release.components.push_back(tree);
  return content::check_tree_paths(release, false);
}

}  // namespace shoal::publish
