// One status call a file; a file whose stamp no longer matches is hashed, for touching a file does
// not change it.
#include "install/old_tree.hpp"

#include <set>

#include "install/hash_files.hpp"
#include "install/look.hpp"

namespace shoal::install {
namespace {

Result<OldFile> examine_file(const BeneathDir& library, const RelativePath& path,
                             const content::FileEntry& entry, const FileStamp& stamp,
                             const StopToken& stop) {
  OldFile file;
  SHOAL_ASSIGN(auto there, look(library, path));
  if (!there || there->type != EntryType::file) return file;
  file.executable = there->executable;
  file.stamp = there->stamp;
  file.state = OldState::changed;
  if (there->stamp.size != entry.size) return file;
  if (there->stamp == stamp || entry.size == 0) {
    file.state = OldState::intact;
    return file;
  }
  auto root = hash_file(library, path, stop);
  if (!root && root.error().kind == ErrorKind::cancelled) return fail(root.error());
  // A file that cannot be read is as good as changed: it will be fetched anew.
  if (root && *root == entry.root) file.state = OldState::intact;
  return file;
}

}  // namespace

Result<OldTree> examine_old(const BeneathDir& library, const RelativePath& folder,
                            const std::vector<InstalledComponent>& installed,
                            const StopToken& stop) {
  OldTree old;
  for (std::uint32_t c = 0; c < installed.size(); ++c) {
    const auto& component = *installed[c].component;
    auto& files = old.files.emplace_back(component.files.size());
    for (std::uint32_t f = 0; f < component.files.size(); ++f) {
      SHOAL_TRY(stop.check());
      const auto& entry = component.files[f];
      FileStamp stamp = f < installed[c].stamps.size() ? installed[c].stamps[f] : FileStamp{};
      SHOAL_ASSIGN(files[f], examine_file(library, entry.path.beneath(folder), entry, stamp, stop));
      old.by_path.emplace(entry.path.text(), OldIndex{c, FileIndex(f)});
    }
    for (const auto& link : component.symlinks) {
      auto target = library.read_link(link.path.beneath(folder));
      if (target && *target == link.target) old.links.emplace(link.path.text(), link.target);
    }
  }
  return old;
}

std::vector<std::string> folders_of(const std::vector<const content::Component*>& components) {
  std::set<std::string> folders;
  auto add_with_parents = [&](std::string_view folder) {
    while (!folder.empty() && folders.emplace(folder).second) {
      auto slash = folder.rfind('/');
      folder = slash == std::string_view::npos ? std::string_view{} : folder.substr(0, slash);
    }
  };
  for (const auto* component : components) {
    for (const auto& file : component->files) add_with_parents(file.path.parent());
    for (const auto& link : component->symlinks) add_with_parents(link.path.parent());
    for (const auto& folder : component->directories) add_with_parents(folder.text());
  }
  return {folders.begin(), folders.end()};
}

}  // namespace shoal::install
