// Private to install: the planner, whose passes are spread over three files. One pass leaves what
// the next ones need in its members.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "install/old_tree.hpp"

namespace shoal::install {

class Planner {
 public:
  Planner(const BeneathDir& library, Plan& plan, const StopToken& stop)
      : library_(library), plan_(plan), stop_(stop) {}

  Result<void> run(std::uint64_t room_bytes);

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

}  // namespace shoal::install
