// One file for each component, moved out of the staging folder and back by renames on one file
// system. Nothing here knows which of them are offered. Changes of several installs in a library
// run side by side: a file is not emptied while it is moved back.
#include "install/kept_delta.hpp"

#include <unistd.h>

#include <mutex>

#include "install/delta_file.hpp"
#include "install/look.hpp"

namespace shoal::install {
namespace {

constexpr int kFoldersDeep = 3;  // product, version, component

std::mutex moving;

RelativePath folder_of(const KeptPlace& place) {
  return known_path(kept_folder().text() + '/' + place.product + '/' + place.version + '/' +
                    place.component);
}

RelativePath file_of(const KeptPlace& place) {
  return known_path(kDeltaName).beneath(folder_of(place));
}

Result<void> check_names(const KeptPlace& place) {
  SHOAL_TRY(check_name("product", place.product));
  SHOAL_TRY(check_name("version", place.version));
  return check_name("component", place.component);
}

// A file that is removed while it is open, by a session that is about to let it go, would keep its
// room for that long.
Result<void> empty_files(const BeneathDir& library, const RelativePath& folder, int folders_deep) {
  auto names = library.list(folder.text());
  if (!names) return {};  // not there
  for (const auto& name : *names) {
    auto path = RelativePath::parse(folder.text() + '/' + name);
    if (!path) continue;
    SHOAL_ASSIGN(auto there, look(library, *path));
    if (!there) continue;
    if (there->type == EntryType::directory && folders_deep > 0)
      SHOAL_TRY(empty_files(library, *path, folders_deep - 1));
    if (there->type != EntryType::file || there->links > 1) continue;
    auto fd = library.open_write(*path);
    if (fd && ::ftruncate(fd->get(), 0) != 0) continue;  // removing it is what counts
  }
  return {};
}

// Under the lock.
Result<void> discard(const BeneathDir& library, const RelativePath& folder) {
  SHOAL_TRY(empty_files(library, folder, kFoldersDeep));
  return library.remove_all(folder);
}

}  // namespace

Result<FileStamp> keep_delta(const BeneathDir& library, const std::string& change,
                             const KeptPlace& place) {
  SHOAL_TRY(check_names(place));
  auto file = file_of(place);
  std::lock_guard lock(moving);
  SHOAL_TRY(library.make_parents(file));
  SHOAL_TRY(library.rename(staged_delta(change, place.component), file));
  SHOAL_ASSIGN(auto there, library.status(file));
  return there.stamp;
}

Result<void> take_back_delta(const BeneathDir& library, const std::string& change,
                             const KeptPlace& place) {
  SHOAL_TRY(check_names(place));
  std::lock_guard lock(moving);
  SHOAL_ASSIGN(auto there, look(library, file_of(place)));
  if (!there || there->type != EntryType::file) return {};
  auto staged = staged_delta(change, place.component);
  SHOAL_TRY(library.make_parents(staged));
  return library.rename(file_of(place), staged);
}

std::shared_ptr<TreeImage> kept_image(const BeneathDir& library, const KeptPlace& place,
                                      const content::DeltaArtifact& delta, const FileStamp& stamp) {
  auto component = std::make_shared<const content::Component>(delta_component(delta));
  return TreeImage::of_installed(library, folder_of(place), {component, nullptr, {stamp}});
}

Result<void> discard_kept(const BeneathDir& library, const std::string& product,
                          const std::string& version) {
  SHOAL_TRY(check_name("product", product));
  SHOAL_TRY(check_name("version", version));
  const auto of_product = known_path(kept_folder().text() + '/' + product);
  std::lock_guard lock(moving);
  SHOAL_TRY(discard(library, known_path(version).beneath(of_product)));
  (void)library.remove_empty_dir(of_product);  // another version's may be there
  return {};
}

Result<void> discard_kept(const BeneathDir& library, const std::string& product) {
  SHOAL_TRY(check_name("product", product));
  std::lock_guard lock(moving);
  return discard(library, known_path(kept_folder().text() + '/' + product));
}

Result<void> discard_kept(const BeneathDir& library) {
  std::lock_guard lock(moving);
  return discard(library, kept_folder());
}

}  // namespace shoal::install
