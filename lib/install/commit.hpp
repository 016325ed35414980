// Commit: from the commit point on, the change rolls forward. The journal holds everything that the
// rolling forward needs, so that it can be done by a process that knows nothing else; every step is
// idempotent. Before the commit point the old version is whole; after it, the new one will be.
#pragma once

#include <vector>

#include "install/stage.hpp"

namespace shoal::install {

// Makes the journal: flushes the staged files to the disk (syncfs), takes the stamps of the
// verified descriptors. The caller makes the journal durable: that is the commit point.
Result<Bytes> prepare_commit(const BeneathDir& library, const Plan& plan, const Staging& staging,
                             const std::string& change);

struct CommitOutcome {
  RelativePath folder;
  std::vector<std::vector<FileStamp>> stamps;  // by target component, by FileIndex
  std::vector<std::string> moved_aside;  // where the user's changed files are now, relative to
                                         // the library
};

// Renames into place, removes what goes, moves the user's files aside (to
// <library>/.shoal/saved/<change>/...). Run again after a kill at any point it finishes the job.
// Errors: state_corrupt (not a journal), io_error, disk_full (try again later: nothing is lost).
Result<CommitOutcome> roll_forward(const BeneathDir& library, ByteView journal,
                                   const StepHook& step = {});

// Removes the install's files (by its manifests, never through a link) and the folders that become
// empty; files unknown to the manifests and changed config files stay and are counted.
struct UninstallOutcome {
  std::uint64_t removed_files = 0;
  std::vector<std::string> left;  // at most 100 named
};
Result<UninstallOutcome> uninstall(const BeneathDir& library, const RelativePath& folder,
                                   const std::vector<InstalledComponent>& installed,
                                   const StopToken& stop);

}  // namespace shoal::install
