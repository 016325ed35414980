// The plan: what a change will do, before it does it. Looks at the install (status calls; file
// bytes only where a stamp does not match), never writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/beneath_dir.hpp"
#include "base/stop_token.hpp"
#include "install/choose_way.hpp"
#include "install/component.hpp"

namespace shoal::install {

enum class FileOrigin {
  keep,      // in place already, unchanged
  move,      // the same bytes under an old path that goes away: a rename
  copy,      // the same bytes under an old path that stays
  assemble,  // from reused chunks and fetched pieces
  empty,     // no bytes
  leave,     // config the user changed, or create_once that exists: not touched. The release's own
             // bytes are staged all the same, so that every piece can be checked; the commit drops
             // them.
};

struct FilePlan {
  FileOrigin origin = FileOrigin::assemble;
  std::uint32_t old_component = 0;  // for move and copy
  FileIndex old_file;
  bool displaces_user_file = false;  // a changed or unknown file stands at the path: moved aside
  bool set_mode = false;             // keep, move: the executable bit must be changed
  bool by_delta = false;  // assemble, leave: made by the component's delta, which is used
  FileStamp present;      // of the file that stands at the path now; zero: none, or not a file
};

struct ComponentPlan {
  TargetComponent target;
  std::vector<FilePlan> files;  // by FileIndex of the target
  WayChoice choice{};
};

// Where assembled bytes can be had on this disk. Checked by its id when it is copied, and written
// but for the bytes at its ends whose 16 KiB block has to be fetched.
struct ReuseSource {
  std::uint32_t old_component = 0;
  FileIndex old_file;
  std::uint64_t old_offset = 0;
  std::uint32_t component = 0;
  FileIndex file;
  std::uint64_t offset = 0;
  content::Chunk chunk;
  std::uint32_t skip_front = 0;  // at most a block, as skip_back
  std::uint32_t skip_back = 0;
};
inline std::uint64_t useful_bytes(const ReuseSource& source) {
  return source.chunk.length - source.skip_front - source.skip_back;
}

struct PlanTotals {
  std::uint64_t fetch_bytes = 0;       // plain image bytes that must come from peers or edge
  std::uint64_t edge_bytes = 0;        // what the edge would send for them, compressed
  std::uint64_t reuse_bytes = 0;       // taken from this disk: kept, moved, copied, chunks
  std::uint64_t delta_bytes = 0;       // made by deltas, out of what is on this disk
  std::uint64_t write_bytes = 0;       // written to the disk
  std::uint64_t peak_extra_bytes = 0;  // disk space needed beyond what is in use now
  std::uint64_t final_bytes = 0;       // size of the install afterwards
  std::uint64_t removed_files = 0;
};

struct Plan {
  RelativePath folder;                        // the install's, in the library
  std::vector<InstalledComponent> installed;  // stamps as found now; zero: absent or changed
  std::vector<ComponentPlan> components;
  std::vector<ReuseSource> reuse;            // sorted by component, file, offset
  std::vector<RelativePath> remove_files;    // old paths that go away, unchanged by the user
  std::vector<FileStamp> remove_stamps;      // by index of remove_files
  std::vector<RelativePath> moved_aside;     // the user's changed files that must make room
  std::vector<FileStamp> aside_stamps;       // by index of moved_aside; zero: a folder
  std::vector<RelativePath> remove_folders;  // old folders that the target lacks, innermost first
  PlanTotals totals;
  std::uint64_t room_bytes = 0;  // free for this: what it has staged and kept deltas count as free
  bool needs_kept_room = false;  // without that of the kept deltas there is not enough
  bool nothing_to_do = false;    // installed == target, byte for byte as far as stamps tell

  explicit Plan(RelativePath install_folder) : folder(std::move(install_folder)) {}
};

// `installed` empty: a first install. Errors: disk_full (peak_extra_bytes beyond the free space,
// said with both figures), read_only, not_allowed, path_invalid, metadata_invalid (recipes, hashes
// or index that do not fit their component), cancelled, io_error. Paths in the plan are relative to
// the install's folder. `change`: what an earlier run of it has staged needs no room again. Kept
// deltas (kept_delta.hpp) count as free: where the plan needs their room, the caller removes them.
Result<Plan> make_plan(const BeneathDir& library, RelativePath folder,
                       std::vector<InstalledComponent> installed,
                       std::vector<TargetComponent> targets, const StopToken& stop,
                       const std::string& change = {});

}  // namespace shoal::install
