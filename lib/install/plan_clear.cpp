// The third pass: which old paths go away, and what of the user's stands in the way.
#include <algorithm>

#include "install/look.hpp"
#include "install/planner.hpp"

namespace shoal::install {
namespace {

constexpr int kMaxFolderDepth = 256;  // deeper than any path of ours; bounds the recursion

}  // namespace

void Planner::move_aside(const RelativePath& path, const FileStamp& stamp) {
  if (!aside_.insert(path.text()).second) return;
  plan_.moved_aside.push_back(path);
  plan_.aside_stamps.push_back(stamp);
}

Result<void> Planner::find_removals() {
  for (std::uint32_t c = 0; c < plan_.installed.size(); ++c) {
    const auto& component = *plan_.installed[c].component;
    for (std::size_t f = 0; f < component.files.size(); ++f) {
      const auto& entry = component.files[f];
      const auto& file = old_.files[c][f];
      if (target_files_.contains(entry.path.text())) continue;
      if (file.state == OldState::intact) {
        plan_.remove_files.push_back(entry.path);
        plan_.remove_stamps.push_back(file.stamp);
      } else if (file.state == OldState::changed &&
                 entry.file_class == content::FileClass::content) {
        move_aside(entry.path, file.stamp);
      }
    }
    for (const auto& link : component.symlinks) {
      auto target = target_links_.find(link.path.text());
      if (target != target_links_.end() && target->second == link.target) continue;
      if (!old_.links.contains(link.path.text())) continue;
      SHOAL_ASSIGN(auto there, look(library_, in_library(link.path)));
      if (!there) continue;
      plan_.remove_files.push_back(link.path);
      plan_.remove_stamps.push_back(there->stamp);
    }
  }
  std::vector<const content::Component*> components;
  for (const auto& installed : plan_.installed) components.push_back(installed.component.get());
  std::unordered_set<std::string_view> needed(folders_.begin(), folders_.end());
  for (const auto& folder : folders_of(components))
    if (!needed.contains(folder)) plan_.remove_folders.push_back(known_path(folder));
  std::reverse(plan_.remove_folders.begin(), plan_.remove_folders.end());  // innermost first
  return {};
}

// Whether a folder that must become a file holds anything that is not ours to remove.
Result<bool> Planner::holds_unknown(const RelativePath& folder, int depth) {
  if (depth > kMaxFolderDepth) return true;
  SHOAL_ASSIGN(auto names, library_.list(in_library(folder).text()));
  for (const auto& name : names) {
    auto path = RelativePath::parse(folder.text() + '/' + name);
    if (!path) return true;
    auto file = old_.by_path.find(path->text());
    if (file != old_.by_path.end() && old_.at(file->second).state == OldState::intact) continue;
    if (old_.links.contains(path->text())) continue;
    SHOAL_ASSIGN(auto there, look(library_, in_library(*path)));
    if (!there) continue;
    if (there->type != EntryType::directory) return true;
    SHOAL_ASSIGN(bool inside, holds_unknown(*path, depth + 1));
    if (inside) return true;
  }
  return false;
}

// What stands where the target has a folder or a link.
Result<void> Planner::find_obstacles() {
  std::unordered_set<std::string_view> removed;
  for (const auto& path : plan_.remove_files) removed.insert(path.text());
  for (const auto& text : folders_) {
    auto path = known_path(text);
    SHOAL_ASSIGN(auto there, look(library_, in_library(path)));
    if (there && there->type == EntryType::directory) continue;
    links_and_folders_in_place_ = false;
    if (there && !removed.contains(text)) move_aside(path, there->stamp);
  }
  for (const auto& [text, target] : target_links_) {
    auto path = known_path(std::string(text));
    SHOAL_ASSIGN(auto there, look(library_, in_library(path)));
    if (there && there->type == EntryType::symlink) {
      auto present = library_.read_link(in_library(path));
      if (present && *present == target) continue;
    }
    links_and_folders_in_place_ = false;
    if (!there || removed.contains(text)) continue;
    if (there->type != EntryType::directory) {
      move_aside(path, there->stamp);
      continue;
    }
    SHOAL_ASSIGN(bool unknown, holds_unknown(path, 0));
    if (unknown) move_aside(path, {});
  }
  return {};
}

}  // namespace shoal::install
