// The search keeps its own stack: no recursion, and a terminating delegation simply drops all that
// was still to come. Patterns are matched greedily with one point to fall back to.
#include "trust/delegations.hpp"

#include <algorithm>
#include <ranges>

namespace shoal::trust {

bool path_matches(std::string_view pattern, std::string_view path) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_end = 0;  // the last '*', and how far it reaches
  while (t < path.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_end = t;
    } else if (p < pattern.size() &&
               (pattern[p] == path[t] || (pattern[p] == '?' && path[t] != '/'))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos && path[star_end] != '/') {
      p = star + 1;
      t = ++star_end;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool delegates(const Delegation& delegation, std::string_view target_path) {
  auto matches = [&](const std::string& pattern) { return path_matches(pattern, target_path); };
  if (std::ranges::any_of(delegation.paths, matches)) return true;
  if (delegation.path_hash_prefixes.empty()) return false;
  std::string hash = sha256(as_bytes(target_path)).hex();
  auto begins = [&](const std::string& prefix) { return hash.starts_with(prefix); };
  return std::ranges::any_of(delegation.path_hash_prefixes, begins);
}

DelegationSearch::DelegationSearch(std::string target_path, std::uint32_t max_waiting)
    : target_path_(std::move(target_path)), max_waiting_(max_waiting), stack_{{"targets", "", 0}} {}

std::string DelegationSearch::Step::chain() const {
  return delegator.empty() ? role : delegator + '/' + encode_role_name(role);
}

std::optional<DelegationSearch::Step> DelegationSearch::next() {
  while (!stack_.empty()) {
    Step step = std::move(stack_.back());
    stack_.pop_back();
    // 5.6.7.1: a role that was visited before is skipped.
    if (visited_.insert(step.role).second) return step;
  }
  return std::nullopt;
}

bool DelegationSearch::descend(const Step& step, const Targets& targets) {
  // 5.6.7.2: the matching delegations in their order; a terminating one ends the search beyond it.
  std::vector<Step> children;
  for (const auto& delegation : targets.delegations) {
    if (!delegates(delegation, target_path_)) continue;
    if (stack_.size() + children.size() >= max_waiting_) return false;
    children.push_back({delegation.role, step.chain(), step.depth + 1});
    if (delegation.terminating) {
      stack_.clear();
      break;
    }
  }
  for (auto& child : children | std::views::reverse) stack_.push_back(std::move(child));
  return true;
}

}  // namespace shoal::trust
