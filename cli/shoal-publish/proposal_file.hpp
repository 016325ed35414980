// Proposals as the files that are carried around.
#pragma once

#include <filesystem>

#include "commands.hpp"
#include "publish/proposal.hpp"

namespace shoal::cli {

// Errors: invalid_request when it is a proposal of the other kind; those of parse_proposal.
Result<publish::Proposal> read_proposal(const std::filesystem::path& file,
                                        publish::ProposalKind kind);

// Whether a proposal can and may be written there: nothing else is written over, and no proposal
// that somebody signed. "" may. Errors: conflict, not_found (no such folder), not_allowed, …
Result<void> check_proposal_name(const std::filesystem::path& file);

// What is left to be said when a change waits for signatures: writes the file. Errors: internal
// when no file was asked for.
Result<void> leave_proposal(const CommonOptions& common, const publish::Proposal& proposal);

}  // namespace shoal::cli
