// The first two passes: for each file of the target, whether it is in place already, and if not,
// whether the old tree has its bytes under another path.
#include <algorithm>

#include "install/hash_files.hpp"
#include "install/look.hpp"
#include "install/planner.hpp"

namespace shoal::install {

using content::FileClass;

void Planner::index_targets() {
  std::vector<const content::Component*> components;
  for (auto& component : plan_.components) {
    const auto& manifest = *component.target.component;
    component.files.resize(manifest.files.size());
    components.push_back(&manifest);
    for (const auto& file : manifest.files) target_files_.insert(file.path.text());
    for (const auto& link : manifest.symlinks) target_links_.emplace(link.path.text(), link.target);
  }
  folders_ = folders_of(components);
}

// Whether the file that stands at the entry's path has the entry's bytes. Believes a stamp that
// matches, and reads the file otherwise.
Result<bool> Planner::has_bytes(const content::FileEntry& entry, const EntryStatus& there) {
  if (there.stamp.size != entry.size) return false;
  if (entry.size == 0) return true;
  auto old = old_.by_path.find(entry.path.text());
  if (old != old_.by_path.end() && old_.at(old->second).state == OldState::intact) {
    const auto& component = *plan_.installed[old->second.component].component;
    return component.files[old->second.file.value()].root == entry.root;
  }
  auto root = hash_file(library_, in_library(entry.path), stop_);
  if (!root && root.error().kind == ErrorKind::cancelled) return fail(root.error());
  return root && *root == entry.root;
}

FilePlan Planner::decide_against_file(const content::FileEntry& entry, const EntryStatus& there,
                                      bool same_bytes) {
  FilePlan plan;
  plan.present = there.stamp;
  auto old = old_.by_path.find(entry.path.text());
  bool unchanged = old != old_.by_path.end() && old_.at(old->second).state == OldState::intact;
  if (same_bytes) {
    plan.origin = FileOrigin::keep;
    plan.set_mode = there.executable != entry.executable;
  } else if (entry.file_class == FileClass::create_once ||
             (entry.file_class == FileClass::config && !unchanged)) {
    plan.origin = FileOrigin::leave;
  } else {
    plan.displaces_user_file = !unchanged;
  }
  return plan;
}

Result<FilePlan> Planner::decide_at_path(const content::FileEntry& entry) {
  FilePlan plan;
  SHOAL_ASSIGN(auto there, look(library_, in_library(entry.path)));
  if (there) switch (there->type) {
      case EntryType::file: {
        SHOAL_ASSIGN(bool same_bytes, has_bytes(entry, *there));
        plan = decide_against_file(entry, *there, same_bytes);
        break;
      }
      case EntryType::symlink:
        if (old_.links.contains(entry.path.text())) break;
        if (entry.file_class != FileClass::content)
          plan.origin = FileOrigin::leave;  // the user keeps this one elsewhere
        else
          plan.displaces_user_file = true;
        break;
      case EntryType::directory: {
        SHOAL_ASSIGN(plan.displaces_user_file, holds_unknown(entry.path, 0));
        break;
      }
      case EntryType::other:
        plan.displaces_user_file = true;
        break;
    }
  if (plan.displaces_user_file)
    move_aside(entry.path, there->type == EntryType::directory ? FileStamp{} : there->stamp);
  if (plan.origin == FileOrigin::assemble && entry.size == 0) plan.origin = FileOrigin::empty;
  return plan;
}

Result<void> Planner::decide_in_place() {
  for (auto& component : plan_.components) {
    const auto& files = component.target.component->files;
    for (std::size_t f = 0; f < files.size(); ++f) {
      SHOAL_TRY(stop_.check());
      SHOAL_ASSIGN(component.files[f], decide_at_path(files[f]));
      const auto& plan = component.files[f];
      if (plan.origin != FileOrigin::keep && plan.origin != FileOrigin::leave) continue;
      stays_.insert(files[f].path.text());
      used_inodes_.insert(plan.present.inode);
      auto old = old_.by_path.find(files[f].path.text());
      if (plan.origin == FileOrigin::keep &&
          (old == old_.by_path.end() ||
           plan_.installed[old->second.component].stamps[old->second.file.value()] != plan.present))
        stamps_fresh_ = false;
    }
  }
  return {};
}

bool Planner::can_move(OldIndex index) const {
  const auto& entry = plan_.installed[index.component].component->files[index.file.value()];
  return !stays_.contains(entry.path.text()) && !used_inodes_.contains(old_.at(index).stamp.inode);
}

// Files whose bytes are, whole, under another path of the old tree.
void Planner::find_elsewhere() {
  std::unordered_map<Digest, std::vector<OldIndex>> sources;
  for (const auto& component : plan_.components)
    for (std::size_t f = 0; f < component.files.size(); ++f)
      if (component.files[f].origin == FileOrigin::assemble)
        sources.try_emplace(component.target.component->files[f].root);
  for (std::uint32_t c = 0; c < plan_.installed.size(); ++c) {
    const auto& files = plan_.installed[c].component->files;
    for (std::uint32_t f = 0; f < files.size(); ++f) {
      if (old_.files[c][f].state != OldState::intact) continue;
      auto source = sources.find(files[f].root);
      if (source != sources.end()) source->second.push_back({c, FileIndex(f)});
    }
  }
  for (auto& component : plan_.components)
    for (std::size_t f = 0; f < component.files.size(); ++f) {
      auto& file = component.files[f];
      if (file.origin != FileOrigin::assemble) continue;
      const auto& entry = component.target.component->files[f];
      const auto& candidates = sources[entry.root];
      if (candidates.empty()) continue;
      auto chosen = std::find_if(candidates.begin(), candidates.end(),
                                 [this](OldIndex index) { return can_move(index); });
      file.origin = chosen != candidates.end() ? FileOrigin::move : FileOrigin::copy;
      OldIndex source = chosen != candidates.end() ? *chosen : candidates.front();
      file.old_component = source.component;
      file.old_file = source.file;
      if (file.origin == FileOrigin::copy) continue;
      used_inodes_.insert(old_.at(source).stamp.inode);
      file.set_mode = old_.at(source).executable != entry.executable;
    }
}

}  // namespace shoal::install
