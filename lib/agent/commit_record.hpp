// What is made durable at the commit point: the install module's journal, and all that the state
// has to say once the files are in place. A process that starts after a kill needs nothing else.
#pragma once

#include "agent/install_record.hpp"
#include "install/commit.hpp"

namespace shoal::agent {

struct CommitRecord {
  store::InstallRow row;  // as it shall be
  std::string change;
  std::vector<std::string> components;     // in the order of the journal's stamps
  std::vector<store::Document> documents;  // all but the stamps
  Bytes journal;                           // install::prepare_commit
};

CommitRecord make_commit_record(store::InstallRow row, std::string change,
                                const LoadedRelease& release, Bytes journal);
Bytes format_commit_record(const CommitRecord& record);
Result<CommitRecord> parse_commit_record(ByteView bytes);  // state_corrupt

// Rolls the files forward and then the state: what both a commit and a recovery do.
Result<install::CommitOutcome> carry_out(store::Store& store, const BeneathDir& library,
                                         const CommitRecord& record, const install::StepHook& step);

}  // namespace shoal::agent
