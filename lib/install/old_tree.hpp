// Private to install: the old tree as it is on the disk now, and the two parts of planning that
// have files of their own.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "install/plan.hpp"

namespace shoal::install {

enum class OldState {
  intact,   // what its manifest says
  changed,  // a file, but with other bytes
  absent,   // nothing there, or not a file
};

struct OldFile {
  OldState state = OldState::absent;
  bool executable = false;
  FileStamp stamp;  // of what is there; zero when absent
};

struct OldIndex {
  std::uint32_t component = 0;
  FileIndex file;
};

struct OldTree {
  std::vector<std::vector<OldFile>> files;                       // by component, by FileIndex
  std::unordered_map<std::string_view, OldIndex> by_path;        // files
  std::unordered_map<std::string_view, std::string_view> links;  // path → target, if still so

  const OldFile& at(OldIndex index) const { return files[index.component][index.file.value()]; }
};

// Looks at every old file and link; reads a file only where its stamp does not match but its size
// does. The views point into `installed`.
Result<OldTree> examine_old(const BeneathDir& library, const RelativePath& folder,
                            const std::vector<InstalledComponent>& installed,
                            const StopToken& stop);

// Finds chunks of the files to be assembled anywhere in the old tree: intact files by their
// recipes, changed ones by cutting what is there now into chunks. Fills plan.reuse.
Result<void> find_chunks(const BeneathDir& library, Plan& plan, const OldTree& old,
                         const StopToken& stop);

// Chooses each component's way and fills plan.totals, from the decisions and plan.reuse; what the
// ways not taken would have needed goes. `clones`: copies share their bytes with the old file, and
// take no room. `room_bytes`: of disk space.
void count_totals(Plan& plan, bool clones, std::uint64_t room_bytes);

// Notes which files the components' deltas can make (FilePlan::by_delta). One whose old version,
// under the same path, is not what the delta was made from is left out.
void find_by_delta(Plan& plan, const OldTree& old);

// Every folder that these paths need, and the named empty ones, sorted; relative to the install.
std::vector<std::string> folders_of(const std::vector<const content::Component*>& components);

}  // namespace shoal::install
