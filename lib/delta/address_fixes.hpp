// Learns from wrong predictions. Private to the encoder.
#pragma once

#include <map>
#include <vector>

#include "delta/prediction.hpp"

namespace shoal::delta {

// Collects where references of one old program really lead, and finds the few fixes that put most
// of the wrong ones right.
class FixLearner {
 public:
  // One reference as it was predicted and as it is.
  void see(const Predictor::ReferenceOrigin& reference, std::uint64_t predicted_value,
           std::uint64_t actual_value);
  // By old address, at most kMaxFixes. `old_addresses`: of the old program.
  std::vector<AddressFix> fixes(const AddressMap& old_addresses) const;

 private:
  struct Votes {
    std::map<std::uint64_t, std::uint32_t> new_targets;
    bool ever_wrong = false;
  };
  std::map<std::uint64_t, Votes> by_old_target_;
};

}  // namespace shoal::delta
