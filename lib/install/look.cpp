// Names beneath a library's .shoal folder, and a status call that takes "not there" for an answer.
#include "install/look.hpp"

#include <cassert>

namespace shoal::install {

Result<std::optional<EntryStatus>> look(const BeneathDir& library, const RelativePath& path) {
  auto status = library.status(path);
  if (status) return std::optional(*status);
  // path_invalid: a link, or something that is no folder, is on the way.
  if (status.error().kind == ErrorKind::not_found || status.error().kind == ErrorKind::path_invalid)
    return std::optional<EntryStatus>{};
  return fail(std::move(status.error()));
}

RelativePath known_path(const std::string& text) {
  auto path = RelativePath::parse(text);
  assert(path.has_value());
  return std::move(*path);
}

RelativePath staging_folder(const std::string& change) {
  return known_path(".shoal/staging/" + change);
}

RelativePath staging_folder(const std::string& change, const std::string& component) {
  return known_path(".shoal/staging/" + change + "/" + component);
}

RelativePath saved_folder(const std::string& change) {
  return known_path(".shoal/saved/" + change);
}

RelativePath kept_folder() { return known_path(".shoal/kept"); }

}  // namespace shoal::install
