// Planning in four passes over the tree: what is already in place, what is elsewhere in the old
// tree, what must go or make room, and what it all costs. Only the first looks at the disk much.
#include "install/plan.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "install/hash_files.hpp"
#include "install/look.hpp"
#include "install/old_tree.hpp"

namespace shoal::install {
namespace {

using content::FileClass;

constexpr int kMaxFolderDepth = 256;  // deeper than any path of ours; bounds the recursion

class Planner {
 public:
  Planner(const BeneathDir& library, Plan& plan, const StopToken& stop)
      : library_(library), plan_(plan), stop_(stop) {}

  Result<void> run();

 private:
  Result<void> check_inputs() const;
  void index_targets();
  Result<void> decide_in_place();
  Result<FilePlan> decide_at_path(const content::FileEntry& entry);
  FilePlan decide_against_file(const content::FileEntry& entry, const EntryStatus& there,
                               bool same_bytes);
  Result<bool> has_bytes(const content::FileEntry& entry, const EntryStatus& there);
  void find_elsewhere();
  bool can_move(OldIndex index) const;
  Result<void> find_removals();
  Result<void> find_obstacles();
  Result<bool> holds_unknown(const RelativePath& folder, int depth);
  void move_aside(const RelativePath& path, const FileStamp& stamp);
  Result<void> decide_nothing_to_do();
  Result<void> refresh_stamps();
  RelativePath in_library(const RelativePath& path) const { return path.beneath(plan_.folder); }

  const BeneathDir& library_;
  Plan& plan_;
  const StopToken& stop_;
  OldTree old_;
  std::unordered_set<std::string_view> target_files_;
  std::unordered_map<std::string_view, std::string_view> target_links_;
  std::vector<std::string> folders_;               // that the target needs
  std::unordered_set<std::string_view> stays_;     // old paths whose file is still there afterwards
  std::unordered_set<std::uint64_t> used_inodes_;  // kept in place, or moved once
  std::set<std::string> aside_;
  bool links_and_folders_in_place_ = true;
  bool stamps_fresh_ = true;
};

// Recipes, hashes and index come from documents of their own: they must fit the manifest.
Result<void> Planner::check_inputs() const {
  auto misfit = [](const content::Component& component, std::string_view what) {
    return fail(ErrorKind::metadata_invalid,
                fmt::format("component {}: its {} do not fit its manifest", component.name, what));
  };
  auto fits = [](const content::Component& component, const content::Recipes& recipes) {
    if (recipes.files.size() != component.files.size()) return false;
    for (std::size_t f = 0; f < recipes.files.size(); ++f) {
      std::uint64_t size = 0;
      for (const auto& chunk : recipes.files[f]) size += chunk.length;
      if (size != component.files[f].size) return false;
    }
    return true;
  };
  for (const auto& installed : plan_.installed)
    if (installed.recipes && !fits(*installed.component, *installed.recipes))
      return misfit(*installed.component, "recipes");
  for (const auto& component : plan_.components) {
    const auto& [manifest, recipes, hashes, index] = component.target;
    if (recipes && !fits(*manifest, *recipes)) return misfit(*manifest, "recipes");
    if ((hashes ? hashes->size() : 0) != manifest->content.piece_count())
      return misfit(*manifest, "piece hashes");
    if (index && index->pieces.size() != manifest->content.piece_count())
      return misfit(*manifest, "edge index");
  }
  return {};
}

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
      } else if (file.state == OldState::changed && entry.file_class == FileClass::content) {
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

Result<void> Planner::decide_nothing_to_do() {
  bool nothing = links_and_folders_in_place_ && stamps_fresh_ && plan_.remove_files.empty() &&
                 plan_.moved_aside.empty();
  for (const auto& component : plan_.components)
    for (const auto& file : component.files)
      nothing = nothing && !file.set_mode &&
                (file.origin == FileOrigin::keep || file.origin == FileOrigin::leave);
  for (const auto& folder : plan_.remove_folders) {
    if (!nothing) break;
    nothing = !library_.exists(in_library(folder));
  }
  plan_.nothing_to_do = nothing;
  return {};
}

Result<void> Planner::refresh_stamps() {
  for (std::size_t c = 0; c < plan_.installed.size(); ++c)
    for (std::size_t f = 0; f < plan_.installed[c].stamps.size(); ++f) {
      const auto& file = old_.files[c][f];
      plan_.installed[c].stamps[f] = file.state == OldState::intact ? file.stamp : FileStamp{};
    }
  return {};
}

Result<void> Planner::run() {
  SHOAL_TRY(check_inputs());
  for (auto& installed : plan_.installed)
    installed.stamps.resize(installed.component->files.size());
  SHOAL_ASSIGN(old_, examine_old(library_, plan_.folder, plan_.installed, stop_));
  index_targets();
  SHOAL_TRY(decide_in_place());
  find_elsewhere();
  SHOAL_TRY(find_removals());
  SHOAL_TRY(find_obstacles());
  SHOAL_TRY(find_chunks(library_, plan_, old_, stop_));
  SHOAL_TRY(decide_nothing_to_do());
  SHOAL_TRY(refresh_stamps());
  count_totals(plan_);
  if (plan_.nothing_to_do) {  // also nothing to fetch, though the user's own files may differ
    plan_.reuse.clear();
    auto final_bytes = plan_.totals.final_bytes;
    plan_.totals = {};
    plan_.totals.final_bytes = final_bytes;
    plan_.totals.reuse_bytes = final_bytes;
  }
  return {};
}

// Disk space that an earlier run's staged files hold already. Hard links cost nothing.
Result<std::uint64_t> allocated_beneath(const BeneathDir& library, const RelativePath& folder,
                                        int depth) {
  std::uint64_t bytes = 0;
  auto names = library.list(folder.text());
  if (!names || depth > kMaxFolderDepth) return bytes;
  for (const auto& name : *names) {
    auto path = RelativePath::parse(folder.text() + '/' + name);
    if (!path) continue;
    SHOAL_ASSIGN(auto there, look(library, *path));
    if (there && there->type == EntryType::directory) {
      SHOAL_ASSIGN(auto inside, allocated_beneath(library, *path, depth + 1));
      bytes += inside;
    }
    if (!there || there->type != EntryType::file || there->links > 1) continue;
    auto fd = library.open_read(*path);
    struct ::stat status{};
    if (fd && ::fstat(fd->get(), &status) == 0)
      bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return bytes;
}

Result<void> check_room(const BeneathDir& library, const Plan& plan, const std::string& change) {
  if (::faccessat(library.fd(), ".", W_OK, AT_EACCESS) != 0)
    return fail(system_error(errno, "write to library", library.name()));
  SHOAL_ASSIGN(auto free, library.free_bytes());
  if (free >= plan.totals.peak_extra_bytes) return {};
  std::uint64_t staged = 0;
  if (!change.empty()) {
    SHOAL_ASSIGN(staged, allocated_beneath(library, staging_folder(change), 0));
  }
  if (free + staged >= plan.totals.peak_extra_bytes) return {};
  return fail(ErrorKind::disk_full,
              fmt::format("library {}: {} bytes are needed and {} are free", library.name(),
                          plan.totals.peak_extra_bytes, free + staged));
}

}  // namespace

Result<Plan> make_plan(const BeneathDir& library, RelativePath folder,
                       std::vector<InstalledComponent> installed,
                       std::vector<TargetComponent> targets, const StopToken& stop,
                       const std::string& change) {
  if (!change.empty()) SHOAL_TRY(check_name("change", change));
  Plan plan(std::move(folder));
  plan.installed = std::move(installed);
  for (auto& target : targets) plan.components.push_back({std::move(target), {}});
  SHOAL_TRY(Planner(library, plan, stop).run());
  if (!plan.nothing_to_do) SHOAL_TRY(check_room(library, plan, change));
  return plan;
}

}  // namespace shoal::install
