// Rolling a commit forward. Every step asks what is there now and does what is left to do, so that
// the whole can be run again from the start after a kill at any point:
//   aside    the user's files that must make room, by their stamps
//   remove   old files and links that go away, by their stamps; then folders that became empty
//   rename   staged files into place; no staged file left means that it was done
//   mode     executable bits of files that were not staged anew
//   links, folders, then flush, and remove the staging folder
// What stands in the way and is neither what was planned with nor new is the user's: moved aside.
#include <fmt/core.h>

#include <string_view>
#include <unordered_set>

#include "install/commit.hpp"
#include "install/journal.hpp"
#include "install/look.hpp"
#include "install/open_folder.hpp"
#include "install/user_files.hpp"

namespace shoal::install {
namespace {

constexpr std::size_t kMaxMovedAside = 1'000'000;  // as many files as a release may have

class Roller {
 public:
  Roller(const BeneathDir& library, Journal& journal, const StepHook& hook)
      : library_(library), journal_(journal), hook_(hook), saved_(saved_folder(journal.change)) {}

  Result<CommitOutcome> run();

 private:
  Result<void> set_aside();
  Result<void> remove_old();
  Result<void> place(const Journal::Placement& placement);
  Result<void> clear_the_way(const Journal::Placement& placement, const EntryStatus& staged);
  Result<void> set_modes();
  Result<void> make_link(const Journal::Link& link);
  Result<void> ensure_folder(std::string_view path);
  Result<void> aside(const RelativePath& path) {
    return move_aside(library_, journal_.folder, path, saved_);
  }
  RelativePath installed(const RelativePath& path) const { return path.beneath(journal_.folder); }
  void step(std::string_view name) const {
    if (hook_) hook_(name);
  }
  void step(std::string_view name, std::size_t index) const {
    if (hook_) hook_(fmt::format("{}:{}", name, index));
  }

  const BeneathDir& library_;
  Journal& journal_;
  const StepHook& hook_;
  const RelativePath saved_;
  std::unordered_set<std::string> ensured_;  // folders known to be there
};

Result<void> Roller::set_aside() {
  for (std::size_t i = 0; i < journal_.aside.size(); ++i) {
    const auto& [path, stamp] = journal_.aside[i];
    SHOAL_ASSIGN(auto there, look(library_, installed(path)));
    if (!there || there->stamp != stamp) continue;
    step("commit.aside", i);
    SHOAL_TRY(aside(path));
  }
  return {};
}

Result<void> Roller::remove_old() {
  OpenFolder folder(library_);
  for (std::size_t i = 0; i < journal_.remove.size(); ++i) {
    const auto& [path, stamp] = journal_.remove[i];
    auto place = folder.of(installed(path));
    SHOAL_ASSIGN(auto there, look(place.directory, place.path));
    if (!there || there->type == EntryType::directory || there->stamp != stamp) continue;
    step("commit.remove", i);
    SHOAL_TRY(place.directory.unlink(place.path));
  }
  step("commit.remove_folders");
  for (const auto& path : journal_.remove_folders) {
    SHOAL_ASSIGN(auto there, look(library_, installed(path)));
    if (!there || there->type != EntryType::directory) continue;
    auto removed = library_.remove_empty_dir(installed(path));
    if (!removed && removed.error().kind != ErrorKind::conflict) return removed;
  }
  return {};
}

// The folder and its parents within the install; what is in their way is moved aside.
Result<void> Roller::ensure_folder(std::string_view text) {
  if (text.empty() || ensured_.contains(std::string(text))) return {};
  auto path = known_path(std::string(text));
  SHOAL_TRY(ensure_folder(path.parent()));
  SHOAL_ASSIGN(auto there, look(library_, installed(path)));
  if (there && there->type != EntryType::directory) {
    step("commit.obstacle");
    SHOAL_TRY(aside(path));
  }
  SHOAL_TRY(library_.make_dirs(installed(path)));
  ensured_.emplace(text);
  return {};
}

// Afterwards nothing stands at the path but what may be replaced.
Result<void> Roller::clear_the_way(const Journal::Placement& placement, const EntryStatus& staged) {
  SHOAL_TRY(ensure_folder(placement.path.parent()));
  SHOAL_ASSIGN(auto there, look(library_, installed(placement.path)));
  if (!there) return {};
  bool ours = there->type == EntryType::file &&
              (there->stamp == placement.replaces || there->stamp.inode == staged.stamp.inode);
  if (ours) return {};
  step("commit.obstacle");
  return aside(placement.path);
}

Result<void> Roller::place(const Journal::Placement& placement) {
  auto& component = journal_.components[placement.component];
  auto from = placement.path.beneath(staging_folder(journal_.change, component.name));
  SHOAL_ASSIGN(auto staged, look(library_, from));
  if (!staged) return {};  // done by an earlier run
  // Meddled with after the commit point: it goes where it belongs, but is not believed.
  auto& stamp = component.stamps[placement.file];
  if (staged->stamp != stamp) stamp = {};
  SHOAL_TRY(clear_the_way(placement, *staged));
  SHOAL_TRY(library_.rename(from, installed(placement.path)));
  // rename() of two links of one file does nothing and leaves both.
  if (staged->links == 1) return {};
  auto leftover = library_.unlink(from);
  if (!leftover && leftover.error().kind != ErrorKind::not_found) return leftover;
  return {};
}

Result<void> Roller::set_modes() {
  for (std::size_t i = 0; i < journal_.modes.size(); ++i) {
    const auto& [path, stamp, executable] = journal_.modes[i];
    SHOAL_ASSIGN(auto there, look(library_, installed(path)));
    if (!there || there->type != EntryType::file || there->stamp != stamp ||
        there->executable == executable)
      continue;
    step("commit.mode", i);
    SHOAL_TRY(library_.set_executable(installed(path), executable));
  }
  return {};
}

Result<void> Roller::make_link(const Journal::Link& link) {
  SHOAL_TRY(ensure_folder(link.path.parent()));
  SHOAL_ASSIGN(auto there, look(library_, installed(link.path)));
  if (there && there->type == EntryType::symlink) {
    auto target = library_.read_link(installed(link.path));
    if (target && *target == link.target) return {};
  }
  step("commit.link");
  if (there) SHOAL_TRY(aside(link.path));
  return library_.symlink(link.target, installed(link.path));
}

Result<CommitOutcome> Roller::run() {
  step("commit.begin");
  SHOAL_TRY(library_.make_dirs(journal_.folder));
  SHOAL_TRY(set_aside());
  SHOAL_TRY(remove_old());
  for (std::size_t i = 0; i < journal_.place.size(); ++i) {
    step("commit.rename", i);
    SHOAL_TRY(place(journal_.place[i]));
  }
  SHOAL_TRY(set_modes());
  for (const auto& link : journal_.links) SHOAL_TRY(make_link(link));
  for (const auto& path : journal_.folders) SHOAL_TRY(ensure_folder(path.text()));
  // The caller forgets the journal next: the renames must be on the disk before that.
  step("commit.sync");
  SHOAL_TRY(library_.sync());
  step("commit.clean");
  SHOAL_TRY(library_.remove_all(staging_folder(journal_.change)));
  step("commit.done");
  CommitOutcome outcome{journal_.folder, {}, {}};
  for (auto& component : journal_.components) outcome.stamps.push_back(std::move(component.stamps));
  SHOAL_ASSIGN(outcome.moved_aside, list_tree(library_, saved_, kMaxMovedAside));
  return outcome;
}

}  // namespace

Result<CommitOutcome> roll_forward(const BeneathDir& library, ByteView bytes,
                                   const StepHook& step) {
  SHOAL_ASSIGN(auto journal, parse_journal(bytes));
  return Roller(library, journal, step).run();
}

}  // namespace shoal::install
