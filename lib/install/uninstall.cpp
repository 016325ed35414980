// Uninstalling goes by the manifests: a name that they do not list is never touched, nothing is
// reached through a link, and folders go only when they are empty.
#include "install/commit.hpp"
#include "install/hash_files.hpp"
#include "install/look.hpp"
#include "install/old_tree.hpp"
#include "install/user_files.hpp"

namespace shoal::install {
namespace {

constexpr std::size_t kMaxLeftNamed = 100;

// Whether the user may have made the file their own: then it stays.
Result<bool> is_changed_by_user(const BeneathDir& library, const RelativePath& path,
                                const content::FileEntry& entry, const EntryStatus& there,
                                const FileStamp& stamp, const StopToken& stop) {
  if (entry.file_class == content::FileClass::content || there.stamp == stamp) return false;
  if (there.stamp.size != entry.size) return true;
  SHOAL_ASSIGN(auto root, hash_file(library, path, stop));
  return root != entry.root;
}

Result<void> remove_component(const BeneathDir& library, const RelativePath& folder,
                              const InstalledComponent& installed, const StopToken& stop,
                              UninstallOutcome& outcome) {
  const auto& component = *installed.component;
  for (std::size_t f = 0; f < component.files.size(); ++f) {
    SHOAL_TRY(stop.check());
    const auto& entry = component.files[f];
    auto path = entry.path.beneath(folder);
    SHOAL_ASSIGN(auto there, look(library, path));
    if (!there || there->type != EntryType::file) continue;
    FileStamp stamp = f < installed.stamps.size() ? installed.stamps[f] : FileStamp{};
    SHOAL_ASSIGN(bool users, is_changed_by_user(library, path, entry, *there, stamp, stop));
    if (users) continue;
    SHOAL_TRY(library.unlink(path));
    ++outcome.removed_files;
  }
  for (const auto& link : component.symlinks) {
    auto path = link.path.beneath(folder);
    auto target = library.read_link(path);
    if (!target || *target != link.target) continue;
    SHOAL_TRY(library.unlink(path));
    ++outcome.removed_files;
  }
  return {};
}

Result<void> remove_if_empty(const BeneathDir& library, const RelativePath& path) {
  SHOAL_ASSIGN(auto there, look(library, path));
  if (!there || there->type != EntryType::directory) return {};
  auto removed = library.remove_empty_dir(path);
  if (!removed && removed.error().kind != ErrorKind::conflict) return removed;
  return {};
}

}  // namespace

Result<UninstallOutcome> uninstall(const BeneathDir& library, const RelativePath& folder,
                                   const std::vector<InstalledComponent>& installed,
                                   const StopToken& stop) {
  UninstallOutcome outcome;
  std::vector<const content::Component*> components;
  for (const auto& component : installed) {
    SHOAL_TRY(remove_component(library, folder, component, stop, outcome));
    components.push_back(component.component.get());
  }
  auto folders = folders_of(components);
  for (auto path = folders.rbegin(); path != folders.rend(); ++path)  // innermost first
    SHOAL_TRY(remove_if_empty(library, known_path(*path).beneath(folder)));
  SHOAL_TRY(remove_if_empty(library, folder));
  SHOAL_ASSIGN(outcome.left, list_tree(library, folder, kMaxLeftNamed));
  return outcome;
}

}  // namespace shoal::install
