// The next root from the one in force and what is asked of it. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "trust/metadata.hpp"

namespace shoal::publish {

inline constexpr std::array kTopLevelRoles = {"root", "targets", "snapshot", "timestamp"};

struct RootChange {
  struct NamedKey {
    std::string role;  // of kTopLevelRoles
    trust::PublicKey key;
  };
  struct NamedId {
    std::string role;  // "": every role that has the key
    std::string id;    // at least kMinIdDigits of the key id's first digits
  };
  std::vector<NamedKey> add;
  std::vector<NamedId> remove;
  std::map<std::string, std::uint32_t> thresholds;  // by role
  std::set<std::string> rotate;       // roles that give up all their keys for the added ones
  std::optional<UtcSeconds> expires;  // none: a lifetime from now

  bool empty() const {
    return add.empty() && remove.empty() && thresholds.empty() && rotate.empty() && !expires;
  }
};

inline constexpr std::size_t kMinIdDigits = 8;

// Errors: invalid_request (an unknown role, a threshold that the keys cannot reach, an expiry in
// the past, nothing to change), not_found (no such key), conflict (the key is there already).
Result<trust::Root> next_root(const trust::Root& current, const RootChange& change, UtcSeconds now,
                              std::chrono::days lifetime);

trust::RoleKeys& keys_of_role(trust::Root& root, std::string_view role);
const trust::RoleKeys& keys_of_role(const trust::Root& root, std::string_view role);

// "in 1 year", "in 6 months", "in 90 days", "in 2 weeks", "2027-11-22" or "2027-11-22T12:30:00Z".
// Errors: invalid_request (not understood, past, or more than kMaxLifetime ahead).
inline constexpr std::chrono::days kMaxLifetime{3660};
Result<UtcSeconds> parse_expiry(std::string_view text, UtcSeconds now);

// Adds a key to a role's list. Errors: conflict when it has it already.
Result<void> add_key(trust::RoleKeys& role, trust::KeyMap& keys, const trust::PublicKey& key,
                     std::string_view role_name);

}  // namespace shoal::publish
