// Paths of a repository, and a Fetcher that reads them: URLs are decoded once, as a web server
// does.
#include "publish/layout.hpp"

#include <fmt/core.h>

#include "base/file.hpp"
#include "http/server.hpp"

namespace shoal::publish {

std::string metadata_name(std::uint64_t version, const std::string& role) {
  return fmt::format("{}.{}.json", version, role);
}

std::filesystem::path Layout::target(const RelativePath& path, const Digest& hash) const {
  return targets() / std::filesystem::path(path.parent()) /
         fmt::format("{}.{}", hash.hex(), path.name());
}

Result<Bytes> DirectoryFetcher::fetch(std::uint32_t, const std::string& path,
                                      std::uint64_t max_bytes) {
  SHOAL_ASSIGN(auto relative, RelativePath::parse(http::percent_decode(path)));
  return read_file(root_ / relative.text(), max_bytes);
}

}  // namespace shoal::publish
