// Which delegated roles are asked for a target, and in what order (TUF 5.6.7). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "trust/metadata.hpp"

namespace shoal::trust {

// Shell-style: '*' any run and '?' any one character, neither of them '/'; all else literally.
// Linear in time for any pattern, but for a factor of the pattern's length.
bool path_matches(std::string_view pattern, std::string_view path);

// Whether the delegation speaks for the target (4.5: paths or path_hash_prefixes).
bool delegates(const Delegation& delegation, std::string_view target_path);

// Pre-order depth-first search: next() says which role to look into; found nothing there, its
// metadata goes to descend(). Each role is visited once, so cycles end.
class DelegationSearch {
 public:
  struct Step {
    std::string role;
    std::string delegator;    // the chain that leads to it: "targets/game"; "" for the top level
    std::uint32_t depth = 0;  // of delegations
    std::string chain() const;
  };
  // At most `max_waiting` roles are known of and not yet looked into.
  explicit DelegationSearch(std::string target_path,
                            std::uint32_t max_waiting = Limits{}.delegations_waiting);

  std::optional<Step> next();
  // False when more roles would have to wait than may: the search is then not whole.
  [[nodiscard]] bool descend(const Step& step, const Targets& targets);
  std::uint32_t visited() const { return static_cast<std::uint32_t>(visited_.size()); }

 private:
  std::string target_path_;
  std::uint32_t max_waiting_;
  std::vector<Step> stack_;  // the next one last
  std::set<std::string> visited_;
};

}  // namespace shoal::trust
