// Counts what each user holds at once (requests, event streams), so that one user cannot take the
// daemon away from the others.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

namespace shoal::api {

// One thread only.
class UserLimit {
 public:
  // Given back when the last reference goes; may outlive the UserLimit.
  using Slot = std::shared_ptr<void>;

  explicit UserLimit(std::size_t most_per_user) : most_(most_per_user) {}
  // Empty when the user holds the most already.
  Slot take(std::uint32_t uid);

 private:
  struct Counts {
    std::map<std::uint32_t, std::size_t> by_user;
  };
  std::size_t most_;
  std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();  // shared with the slots
};

}  // namespace shoal::api
