// Planning in four passes over the tree: what is already in place, what is elsewhere in the old
// tree, what must go or make room, and what it all costs. Only the first looks at the disk much.
#include "install/plan.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "install/look.hpp"
#include "install/planner.hpp"
#include "install/stage_files.hpp"

namespace shoal::install {
namespace {

constexpr int kMaxFolderDepth = 256;  // deeper than any path of ours; bounds the recursion

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

struct Room {
  std::uint64_t free = 0;  // with what an earlier run of the change has staged
  std::uint64_t kept = 0;  // is there only as long as nobody needs the room
};

Result<Room> room(const BeneathDir& library, const std::string& change) {
  Room room;
  SHOAL_ASSIGN(room.free, library.free_bytes());
  SHOAL_ASSIGN(room.kept, allocated_beneath(library, kept_folder(), 0));
  if (change.empty()) return room;
  SHOAL_ASSIGN(auto staged, allocated_beneath(library, staging_folder(change), 0));
  room.free += staged;
  return room;
}

Result<void> check_room(const BeneathDir& library, const Plan& plan) {
  if (::faccessat(library.fd(), ".", W_OK, AT_EACCESS) != 0)
    return fail(system_error(errno, "write to library", library.name()));
  if (plan.room_bytes >= plan.totals.peak_extra_bytes) return {};
  return fail(ErrorKind::disk_full,
              fmt::format("library {}: {} bytes are needed and {} are free", library.name(),
                          plan.totals.peak_extra_bytes, plan.room_bytes));
}

}  // namespace

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
    const auto& [manifest, recipes, hashes, index, delta] = component.target;
    if (recipes && !fits(*manifest, *recipes)) return misfit(*manifest, "recipes");
    if ((hashes ? hashes->size() : 0) != manifest->content.piece_count())
      return misfit(*manifest, "piece hashes");
    if (index && index->pieces.size() != manifest->content.piece_count())
      return misfit(*manifest, "edge index");
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

Result<void> Planner::run(std::uint64_t room_bytes) {
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
  find_by_delta(plan_, old_);
  count_totals(plan_, can_clone(library_), room_bytes);
  if (plan_.nothing_to_do) {  // also nothing to fetch, though the user's own files may differ
    plan_.reuse.clear();
    auto final_bytes = plan_.totals.final_bytes;
    plan_.totals = {};
    plan_.totals.final_bytes = final_bytes;
    plan_.totals.reuse_bytes = final_bytes;
    for (auto& component : plan_.components) component.choice = {};
  }
  return {};
}

Result<Plan> make_plan(const BeneathDir& library, RelativePath folder,
                       std::vector<InstalledComponent> installed,
                       std::vector<TargetComponent> targets, const StopToken& stop,
                       const std::string& change) {
  if (!change.empty()) SHOAL_TRY(check_name("change", change));
  Plan plan(std::move(folder));
  plan.installed = std::move(installed);
  for (auto& target : targets) plan.components.push_back({std::move(target), {}});
  SHOAL_ASSIGN(auto there, room(library, change));
  plan.room_bytes = there.free + there.kept;
  SHOAL_TRY(Planner(library, plan, stop).run(plan.room_bytes));
  plan.needs_kept_room = plan.totals.peak_extra_bytes > there.free;
  if (!plan.nothing_to_do) SHOAL_TRY(check_room(library, plan));
  return plan;
}

}  // namespace shoal::install
