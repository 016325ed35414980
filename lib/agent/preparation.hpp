// What comes before any change of a tree: the target release, what is installed now, and the plan
// between the two. Blocking; used by jobs, for a change and for `plan` alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/commit_record.hpp"
#include "agent/repository_client.hpp"
#include "agent/service.hpp"
#include "install/plan.hpp"
#include "install/verify.hpp"

namespace shoal::agent {

struct PreparationInput {
  ChangeKind kind = ChangeKind::install;
  ReleaseWanted wanted;                      // install and update
  std::shared_ptr<RepositoryClient> client;  // install and update
  store::InstallRow row;                     // id 0: not recorded yet
  const BeneathDir* library = nullptr;
};

// The name of a target's staging folder: by product and version, not by change, so that a new
// attempt finds what an earlier one had staged.
std::string staging_name(std::string_view product, std::string_view version);

struct Preparation {
  LoadedRelease release;             // the target
  std::optional<InstallRecord> old;  // what is installed; none before a first install
  std::vector<FileNote> notes;       // wounds, for a repair
};

// Loads the target release and the record; a repair also verifies, and then counts wounded files as
// not there. Finishes a commit that an earlier run left open.
Result<Preparation> prepare(const Context& context, const PreparationInput& input,
                            const StopToken& stop);

Result<install::Plan> plan_between(const Preparation& preparation, const PreparationInput& input,
                                   const StopToken& stop);

PlanView describe_plan(const install::Plan& plan, const Preparation& preparation, ChangeKind kind);

// The wounds of a report as notes, at most kMaxNotes, the unexpected first.
inline constexpr std::size_t kMaxNotes = 1000;
std::vector<FileNote> notes_of(const install::VerifyReport& report);

// Finishes the commits that are open for an install (0: for all), through `library_of`.
Result<void> finish_open_commits(
    const Context& context, std::int64_t install,
    const std::function<Result<const BeneathDir*>(const std::string&)>& library_of,
    const std::function<void(const CommitRecord&)>& finished);

}  // namespace shoal::agent
