// From a plan and its verified staging to a journal. The old stamps go into it too: the commit
// replaces and removes only what is still as it was planned with, so that a file that the user
// changes in between is moved aside and not lost.
#include <fmt/core.h>

#include "install/commit.hpp"
#include "install/journal.hpp"
#include "install/look.hpp"
#include "install/open_folder.hpp"

namespace shoal::install {
namespace {

std::unexpected<Error> not_verified(const RelativePath& path, std::string_view why) {
  return fail(ErrorKind::verification_failed, fmt::format("commit {}: {}", path.text(), why));
}

Result<void> add_file(OpenFolder& folder, const FilePlan& plan, const content::FileEntry& entry,
                      const TreeImage::FileState& state, const RelativePath& staging,
                      Journal& journal) {
  auto component = static_cast<std::uint32_t>(journal.components.size() - 1);
  auto& stamps = journal.components.back().stamps;
  auto file = static_cast<std::uint32_t>(stamps.size());
  if (plan.origin == FileOrigin::leave) {
    stamps.push_back({});
    return {};
  }
  if (state.stamp == FileStamp{}) return not_verified(entry.path, "it was not verified");
  stamps.push_back(state.stamp);
  if (plan.set_mode) journal.modes.push_back({entry.path, state.stamp, entry.executable});
  if (state.place == TreeImage::Place::installed) return {};
  auto place = folder.of(entry.path.beneath(staging));
  SHOAL_ASSIGN(auto there, look(place.directory, place.path));
  if (!there || there->type != EntryType::file || there->stamp != state.stamp)
    return not_verified(entry.path, "it has changed since it was verified");
  journal.place.push_back(
      {component, file, entry.path, plan.displaces_user_file ? FileStamp{} : plan.present});
  return {};
}

}  // namespace

Result<Bytes> prepare_commit(const BeneathDir& library, const Plan& plan, const Staging& staging,
                             const std::string& change) {
  SHOAL_TRY(check_name("change", change));
  SHOAL_TRY(library.sync());
  Journal journal(plan.folder);
  journal.change = change;
  for (std::size_t c = 0; c < plan.components.size(); ++c) {
    const auto& component = *plan.components[c].target.component;
    journal.components.push_back({component.name, {}});
    auto staged = staging_folder(change, component.name);
    OpenFolder folder(library);
    for (std::uint32_t f = 0; f < component.files.size(); ++f)
      SHOAL_TRY(add_file(folder, plan.components[c].files[f], component.files[f],
                         staging.components[c].image->file_state(FileIndex(f)), staged, journal));
    for (const auto& link : component.symlinks) journal.links.push_back({link.path, link.target});
    for (const auto& path : component.directories) journal.folders.push_back(path);
  }
  // A folder in the way is moved aside only once what is ours in it has gone: see roll_forward().
  for (std::size_t i = 0; i < plan.moved_aside.size(); ++i)
    if (plan.aside_stamps[i] != FileStamp{})
      journal.aside.push_back({plan.moved_aside[i], plan.aside_stamps[i]});
  for (std::size_t i = 0; i < plan.remove_files.size(); ++i)
    journal.remove.push_back({plan.remove_files[i], plan.remove_stamps[i]});
  journal.remove_folders = plan.remove_folders;
  return format_journal(journal);
}

}  // namespace shoal::install
