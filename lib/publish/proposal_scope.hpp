// What a proposal may hold at all: what the publisher's own commands make. Whatever else could be
// put in its file is refused, however it would read in a review. Pure.
#pragma once

#include "publish/proposal.hpp"

namespace shoal::publish {

// Of a proposal whose signatures have been followed. What was in force already is left alone, so
// that repositories that other tools made can be signed. Errors: metadata_invalid.
Result<void> check_scope(const Proposal& proposal, const CheckedProposal& checked);

}  // namespace shoal::publish
