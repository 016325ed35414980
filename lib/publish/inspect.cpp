// Reads the verified state and counts; nothing is locked or changed.
#include "publish/inspect.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "publish/release_builder.hpp"

namespace shoal::publish {
namespace {

Result<ListedRelease> describe(const Layout& layout, const State& state, const std::string& product,
                               const std::string& version, const content::ChannelList& list) {
  SHOAL_ASSIGN(auto release, read_release(layout, state, product, version));
  ListedRelease out;
  out.version = version;
  for (const auto& component : release.components) {
    out.components.push_back(component.name);
    out.files += component.files.size();
    out.tree_bytes += component.total_bytes();
    out.edge_bytes += component.content.edge_bytes;
    for (const auto& delta : component.deltas)
      out.deltas.push_back({component.name, delta.from, delta.edge_bytes});
  }
  for (const auto& [channel, target] : list.channels)
    if (target == version) out.channels.push_back(channel);
  return out;
}

}  // namespace

Result<Listing> list_repository(const std::filesystem::path& root) {
  Layout layout(root);
  SHOAL_ASSIGN(auto state, load_state(layout));
  Listing out;
  SHOAL_ASSIGN(out.info, read_repository_info(layout, state));
  out.expires = {{"root", state.root.expires},
                 {"targets", state.targets.expires},
                 {"snapshot", state.snapshot.expires},
                 {"timestamp", state.timestamp.expires}};
  for (const auto& [product, role] : state.products) {
    SHOAL_ASSIGN(auto list, read_channels(layout, state, product));
    ListedProduct listed{product, role.expires, {}};
    for (const auto& version : list.versions) {
      SHOAL_ASSIGN(auto release, describe(layout, state, product, version, list));
      listed.releases.push_back(std::move(release));
    }
    out.products.push_back(std::move(listed));
  }
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(layout.bundles(), error), end;
  for (; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    ++out.bundles;
    out.bundle_bytes += entry->file_size(ignored);
  }
  return out;
}

Result<void> export_image(const std::filesystem::path& root, const std::string& product,
                          const std::string& version, const std::string& component_name,
                          const std::filesystem::path& output) {
  Layout layout(root);
  SHOAL_ASSIGN(auto state, load_state(layout));
  SHOAL_ASSIGN(auto list, read_channels(layout, state, product));
  if (std::ranges::find(list.versions, version) == list.versions.end())
    return fail(ErrorKind::not_found,
                fmt::format("product '{}' has no version '{}'", product, version),
                "'shoal-publish list' shows what is there.");
  SHOAL_ASSIGN(auto release, read_release(layout, state, product, version));
  if (component_name.empty() && release.components.size() != 1)
    return fail(ErrorKind::invalid_request,
                fmt::format("version '{}' has {} components", version, release.components.size()),
                "Name one with --component.");
  for (const auto& component : release.components) {
    if (!component_name.empty() && component.name != component_name) continue;
    if (component.content.image_size == 0)
      return fail(ErrorKind::invalid_request,
                  fmt::format("component '{}' has no bytes: there is no image", component.name));
    SHOAL_ASSIGN(auto artifact, read_artifact(layout, state, component.content));
    return write_image(root, artifact.torrent, artifact.index, output);
  }
  return fail(ErrorKind::not_found,
              fmt::format("version '{}' has no component '{}'", version, component_name));
}

}  // namespace shoal::publish
