// What `shoal-publish list` shows.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "publish/state.hpp"

namespace shoal::publish {

struct ListedDelta {
  std::string component;
  std::string from;
  std::uint64_t edge_bytes = 0;
};

struct ListedRelease {
  std::string version;
  std::vector<std::string> components;
  std::vector<std::string> channels;  // that point at it
  std::uint64_t files = 0;
  std::uint64_t tree_bytes = 0;
  std::uint64_t edge_bytes = 0;  // what fetching it from the edge costs
  std::vector<ListedDelta> deltas;
};

struct ListedProduct {
  std::string product;
  UtcSeconds expires{};
  std::vector<ListedRelease> releases;  // oldest first
};

struct Listing {
  content::RepositoryInfo info;
  std::vector<ListedProduct> products;
  std::map<std::string, UtcSeconds> expires;  // by top-level role
  std::uint64_t bundles = 0;                  // files
  std::uint64_t bundle_bytes = 0;
};

Result<Listing> list_repository(const std::filesystem::path& root);

// Writes a component's image out. An empty name: the only component. Errors: not_found,
// invalid_request (several components and no name), those of write_image.
Result<void> export_image(const std::filesystem::path& root, const std::string& product,
                          const std::string& version, const std::string& component,
                          const std::filesystem::path& output);

}  // namespace shoal::publish
