// Keys are added and removed role by role; at the end each threshold is held against the keys that
// are left, and keys that no role names any more are dropped.
#include "publish/root_change.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace shoal::publish {
namespace {

std::unexpected<Error> refused(std::string message, std::string remedy) {
  return fail(ErrorKind::invalid_request, std::move(message), std::move(remedy));
}

Result<void> check_role(const std::string& role) {
  if (std::ranges::find(kTopLevelRoles, role) != kTopLevelRoles.end()) return {};
  return refused(fmt::format("'{}' is no role that a root names", role),
                 "The roles are root, targets, snapshot and timestamp; 'delegate' gives a product "
                 "its keys.");
}

Result<void> remove_key(trust::Root& root, const RootChange::NamedId& wanted) {
  if (wanted.id.size() < kMinIdDigits)
    return refused(fmt::format("'{}' is too short for a key id", wanted.id),
                   fmt::format("Give at least its first {} digits.", kMinIdDigits));
  std::set<std::string> found;
  for (auto role : kTopLevelRoles) {
    if (!wanted.role.empty() && wanted.role != role) continue;
    auto& ids = keys_of_role(root, role).key_ids;
    for (const auto& id : ids)
      if (id.starts_with(wanted.id)) found.insert(id);
    std::erase_if(ids, [&](const auto& id) { return id.starts_with(wanted.id); });
  }
  if (found.size() > 1)
    return refused(fmt::format("more than one key id begins with {}", wanted.id),
                   "Give more of its digits.");
  if (found.empty())
    return fail(
        ErrorKind::not_found,
        wanted.role.empty()
            ? fmt::format("no role has a key whose id begins with {}", wanted.id)
            : fmt::format("'{}' has no key whose id begins with {}", wanted.role, wanted.id),
        "'shoal-publish doctor REPO' lists the keys.");
  return {};
}

Result<void> check_thresholds(const trust::Root& root) {
  for (auto role : kTopLevelRoles) {
    const auto& keys = keys_of_role(root, role);
    if (keys.threshold >= 1 && keys.threshold <= keys.key_ids.size()) continue;
    return refused(
        fmt::format("'{}' would have {} keys and a threshold of {}", role, keys.key_ids.size(),
                    keys.threshold),
        fmt::format("Add keys with --add-key {0}=FILE, or set --threshold {0}=N.", role));
  }
  return {};
}

void drop_unused_keys(trust::Root& root) {
  std::erase_if(root.keys, [&](const auto& entry) {
    return std::ranges::none_of(kTopLevelRoles, [&](auto role) {
      const auto& ids = keys_of_role(root, role).key_ids;
      return std::ranges::find(ids, entry.first) != ids.end();
    });
  });
}

}  // namespace

trust::RoleKeys& keys_of_role(trust::Root& root, std::string_view role) {
  if (role == "targets") return root.targets;
  if (role == "snapshot") return root.snapshot;
  if (role == "timestamp") return root.timestamp;
  return root.root;
}

const trust::RoleKeys& keys_of_role(const trust::Root& root, std::string_view role) {
  return keys_of_role(const_cast<trust::Root&>(root), role);
}

Result<void> add_key(trust::RoleKeys& role, trust::KeyMap& keys, const trust::PublicKey& key,
                     std::string_view role_name) {
  auto id = trust::key_id(key);
  if (std::ranges::find(role.key_ids, id) != role.key_ids.end())
    return fail(ErrorKind::conflict,
                fmt::format("'{}' has the key {} already", role_name, id.substr(0, kMinIdDigits)),
                "Leave it out.");
  role.key_ids.push_back(id);
  keys.insert_or_assign(id, key);
  return {};
}

Result<trust::Root> next_root(const trust::Root& current, const RootChange& change, UtcSeconds now,
                              std::chrono::days lifetime) {
  if (change.empty())
    return refused("the proposal would change nothing",
                   "To renew the root as it is, give --expires 'in 1 year'.");
  for (const auto& entry : change.add) SHOAL_TRY(check_role(entry.role));
  for (const auto& entry : change.remove)
    if (!entry.role.empty()) SHOAL_TRY(check_role(entry.role));
  for (const auto& [role, threshold] : change.thresholds) SHOAL_TRY(check_role(role));
  trust::Root next = current;
  ++next.version;
  next.consistent_snapshot = true;  // all names that are written here have a version or a hash
  next.expires = change.expires.value_or(now + lifetime);
  if (next.expires <= now) return refused("the root would have expired already", "Set --expires.");
  for (const auto& role : change.rotate) {
    SHOAL_TRY(check_role(role));
    if (std::ranges::none_of(change.add, [&](const auto& entry) { return entry.role == role; }))
      return refused(fmt::format("'{}' is to have new keys, but none is given", role),
                     fmt::format("Make one with 'shoal-publish key new', and add it: --rotate {0} "
                                 "--add-key {0}=FILE.pub.",
                                 role));
    keys_of_role(next, role).key_ids.clear();
  }
  for (const auto& entry : change.remove) SHOAL_TRY(remove_key(next, entry));
  for (const auto& entry : change.add)
    SHOAL_TRY(add_key(keys_of_role(next, entry.role), next.keys, entry.key, entry.role));
  for (const auto& [role, threshold] : change.thresholds)
    keys_of_role(next, role).threshold = threshold;
  SHOAL_TRY(check_thresholds(next));
  drop_unused_keys(next);
  return next;
}

namespace {

std::optional<std::chrono::days> parse_span(std::string_view text) {
  if (!text.starts_with("in ")) return std::nullopt;
  text.remove_prefix(3);
  unsigned count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count > static_cast<unsigned>(kMaxLifetime.count()))
    return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (!unit.starts_with(' ')) return std::nullopt;
  unit.remove_prefix(1);
  if (unit.ends_with('s')) unit.remove_suffix(1);
  if (unit == "day") return std::chrono::days(count);
  if (unit == "week") return std::chrono::days(7 * count);
  if (unit == "month") return std::chrono::days(30 * count);
  if (unit == "year") return std::chrono::days(365 * count);
  return std::nullopt;
}

}  // namespace

Result<UtcSeconds> parse_expiry(std::string_view text, UtcSeconds now) {
  UtcSeconds when = now;
  if (auto span = parse_span(text)) {
    when = now + *span;
  } else {
    constexpr std::size_t kDateLength = 10;
    std::string full(text);
    if (full.size() == kDateLength) full += "T00:00:00Z";
    auto parsed = parse_utc(full);
    if (!parsed)
      return refused(fmt::format("'{}' is no expiry that is understood", text.substr(0, 40)),
                     "Say 'in 1 year', 'in 90 days', or a date such as 2027-11-22.");
    when = *parsed;
  }
  if (when <= now || when > now + kMaxLifetime)
    return refused(fmt::format("an expiry at {} makes no sense now", format_utc(when)),
                   "It must lie ahead, by ten years at most.");
  return when;
}

}  // namespace shoal::publish
