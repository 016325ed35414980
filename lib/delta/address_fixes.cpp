// An address in the file is fixed where at least two references agree on another target; a name or
// type of a kernel module wherever it moves otherwise than the one before, as its neighbours in
// other modules do, too, and equal fixes pack well. Memory that is not in the file (.bss) moves in
// runs: a fix stands where the shift changes.
#include "delta/address_fixes.hpp"

#include <algorithm>

#include "delta/block.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint32_t kMinVotes = 2;  // a fix costs about as much as two wrong predictions

}  // namespace

void FixLearner::see(const Predictor::ReferenceOrigin& reference, std::uint64_t predicted_value,
                     std::uint64_t actual_value) {
  const std::uint64_t target =
      reference_target(reference.kind, actual_value, reference.new_here, reference.new_base);
  auto& votes = by_old_target_[reference.old_target];
  ++votes.new_targets[target];
  if (predicted_value != actual_value) votes.ever_wrong = true;
}

std::vector<AddressFix> FixLearner::fixes(const AddressMap& old_addresses) const {
  std::vector<AddressFix> fixes;
  std::uint64_t outside_shift = 0;
  bool outside_known = false;
  for (const auto& [old_target, votes] : by_old_target_) {
    if (fixes.size() >= kMaxFixes) break;
    const auto best = std::ranges::max_element(votes.new_targets, {},
                                               [](const auto& vote) { return vote.second; });
    if (best->second < kMinVotes && old_target < kNames) continue;
    const std::uint64_t shift = best->first - old_target;
    if (old_addresses.offset_of(old_target)) {
      if (votes.ever_wrong) fixes.push_back({old_target, best->first});
    } else if (!outside_known || shift != outside_shift) {
      fixes.push_back({old_target, best->first});
      outside_shift = shift;
      outside_known = true;
    }
  }
  return fixes;
}

}  // namespace shoal::delta
