// Everything that is named comes from a stick, perhaps: it is shown as printable() has it, and what
// would be too much to name is counted.
#include "publish/describe.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "content/repository_info.hpp"
#include "trust/fingerprint.hpp"

namespace shoal::publish {

std::string key_words(const std::string& id, const trust::KeyMap& keys) {
  auto key = keys.find(id);
  return key == keys.end() ? "no such key" : trust::fingerprint_words(key->second);
}

void describe_keys(const std::string& role, const Party& before, const Party& after,
                   std::vector<std::string>& out) {
  auto names = [](const Party& party, const std::string& id) {
    return std::ranges::find(party.role.key_ids, id) != party.role.key_ids.end();
  };
  for (const auto& id : after.role.key_ids)
    if (!names(before, id))
      out.push_back(fmt::format("{}: adds the key {}", role, named_key(id, after.keys)));
  for (const auto& id : before.role.key_ids)
    if (!names(after, id))
      out.push_back(fmt::format("{}: removes the key {}", role, named_key(id, before.keys)));
  if (before.role.threshold == after.role.threshold && before.role.key_ids == after.role.key_ids)
    return;
  const bool is_new = before.role.key_ids.empty();
  out.push_back(fmt::format(
      "{}: {} of {} keys must sign ({})", role, after.role.threshold, after.role.key_ids.size(),
      is_new ? "the role is new"
             : fmt::format("before: {} of {}", before.role.threshold, before.role.key_ids.size())));
}

namespace {

// Every pattern and every prefix: what is left out here is signed unseen.
std::string scope_of(const trust::Delegation& entry) {
  std::vector<std::string> parts;
  parts.reserve(entry.paths.size() + entry.path_hash_prefixes.size());
  for (const auto& path : entry.paths) parts.push_back(printable(path));
  for (const auto& prefix : entry.path_hash_prefixes)
    parts.push_back(fmt::format("all files whose name's hash begins with '{}'", printable(prefix)));
  auto text = parts.empty() ? "no file" : fmt::format("{}", fmt::join(parts, ", "));
  return entry.terminating ? text : text + "; others are asked after it (not terminating)";
}

void compare_order(const trust::Targets* before, const trust::Targets& after,
                   std::vector<std::string>& out) {
  if (!before) return;
  auto common = [](const trust::Targets& of, const trust::Targets& with) {
    std::set<std::string_view> known;
    for (const auto& entry : with.delegations) known.insert(entry.role);
    std::vector<std::string_view> roles;
    for (const auto& entry : of.delegations)
      if (known.contains(entry.role)) roles.push_back(entry.role);
    return roles;
  };
  if (common(*before, after) == common(after, *before)) return;
  std::vector<std::string> names;
  names.reserve(after.delegations.size());
  for (const auto& entry : after.delegations) names.push_back(printable(entry.role));
  out.push_back(fmt::format("the products are asked in another order: {}", fmt::join(names, ", ")));
}

void compare_delegations(const trust::Targets* before, const trust::Targets& after,
                         std::vector<std::string>& out) {
  std::map<std::string, const trust::Delegation*> old;
  if (before)
    for (const auto& entry : before->delegations) old[entry.role] = &entry;
  for (const auto& entry : after.delegations) {
    auto name = fmt::format("product {}", printable(entry.role));
    Party party{entry.keys, after.keys};
    auto known = old.extract(entry.role);
    if (known.empty()) {
      out.push_back(fmt::format("{}: is new; it speaks for {}", name, scope_of(entry)));
      describe_keys(name, {}, party, out);
      continue;
    }
    const auto& earlier = *known.mapped();
    describe_keys(name, {earlier.keys, before->keys}, party, out);
    if (!is_same_scope(earlier, entry))
      out.push_back(fmt::format("{}: now speaks for {} (before: {})", name, scope_of(entry),
                                scope_of(earlier)));
  }
  for (const auto& [role, entry] : old)
    out.push_back(fmt::format("product {}: is given up", printable(role)));
  compare_order(before, after, out);
}

void compare_channels(const std::string& product, const content::ChannelList& before,
                      const content::ChannelList& after, std::vector<std::string>& out) {
  for (const auto& [channel, version] : after.channels) {
    auto old = before.channels.find(channel);
    if (old == before.channels.end())
      out.push_back(fmt::format("{}: channel {} points at {}", product, channel, version));
    else if (old->second != version)
      out.push_back(fmt::format("{}: channel {} points at {} (before: {})", product, channel,
                                version, old->second));
  }
  for (const auto& [channel, version] : before.channels)
    if (!after.channels.contains(channel))
      out.push_back(
          fmt::format("{}: channel {} is given up (before: {})", product, channel, version));
  for (const auto& version : before.versions)
    if (std::ranges::find(after.versions, version) == after.versions.end())
      out.push_back(fmt::format("{}: version {} is no longer listed", product, version));
}

// What a change of that file is called in a review; none: it is counted only, since a release.json
// names it by its hash. The top level has few files, and clients ask it first.
std::optional<std::string> notable_target(const std::string& role, const std::string& path) {
  constexpr std::string_view kRelease = "/release.json";
  if (path.ends_with(kRelease) && role != "targets")
    return "release " + printable(path.substr(0, path.size() - kRelease.size()));
  if (role == "targets") return "the file " + printable(path);
  return std::nullopt;
}

}  // namespace

bool is_same_file(const trust::TargetMeta& a, const trust::TargetMeta& b) {
  return a.length == b.length && a.hashes.sha256 == b.hashes.sha256 &&
         a.hashes.sha512 == b.hashes.sha512;
}

bool is_same_scope(const trust::Delegation& a, const trust::Delegation& b) {
  return a.paths == b.paths && a.path_hash_prefixes == b.path_hash_prefixes &&
         a.terminating == b.terminating;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kShown = 200;
  std::string out;
  for (unsigned char c : text.substr(0, kShown))
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  if (text.size() > kShown) out += fmt::format("[and {} bytes more]", text.size() - kShown);
  return out;
}

std::string named_key(const std::string& id, const trust::KeyMap& keys) {
  constexpr std::size_t kShortId = 8;
  return fmt::format("{} ({})", printable(id.substr(0, kShortId)), key_words(id, keys));
}

std::string describe_root_version(const trust::Root& before, const trust::Root& after) {
  return fmt::format("root: version {} expires at {} (version {}: {})", after.version,
                     format_utc(after.expires), before.version, format_utc(before.expires));
}

std::vector<std::string> describe_targets_change(const std::string& role,
                                                 const trust::Targets* before,
                                                 const trust::Targets& after) {
  std::vector<std::string> out;
  compare_delegations(before, after, out);
  std::size_t added = 0, changed = 0, removed = 0, same = 0;
  auto say = [&](const char* what, const std::string& path, const std::string& more) {
    if (auto name = notable_target(role, path))
      out.push_back(fmt::format("{}: {} {}{}", printable(role), what, *name, more));
  };
  for (const auto& [path, meta] : after.targets) {
    auto old = before ? before->targets.find(path) : after.targets.end();
    bool known = before && old != before->targets.end();
    bool equal = known && is_same_file(old->second, meta);
    ++(equal ? same : known ? changed : added);
    if (!equal)
      say(known ? "CHANGES" : "adds", path,
          fmt::format(" ({} has SHA-256 {})", printable(path.substr(path.rfind('/') + 1)),
                      meta.hashes.sha256 ? meta.hashes.sha256->hex() : "none"));
  }
  if (before)
    for (const auto& [path, meta] : before->targets) {
      if (after.targets.contains(path)) continue;
      ++removed;
      say("removes", path, "");
    }
  out.push_back(fmt::format("{}: {} files new, {} changed, {} removed, {} as they were",
                            printable(role), added, changed, removed, same));
  return out;
}

std::vector<std::string> describe_next_version(const std::string& role,
                                               const trust::Targets* before,
                                               const trust::Targets& after) {
  auto out = describe_targets_change(role, before, after);
  out.push_back(fmt::format("{}: version {} expires at {}", printable(role), after.version,
                            format_utc(after.expires)));
  return out;
}

std::vector<std::string> describe_channels(const std::map<std::string, Bytes>& before,
                                           const std::map<std::string, Bytes>& after) {
  std::vector<std::string> out;
  for (const auto& [path, bytes] : after) {
    auto product = path.substr(0, path.find('/'));
    if (path != content::channels_target(product)) continue;
    auto list = content::parse_channels(bytes);
    if (!list) {
      out.push_back(printable(product) + ": its list of channels cannot be read");
      continue;
    }
    auto replaced = before.find(path);
    auto old = replaced == before.end()
                   ? content::ChannelList{}
                   : content::parse_channels(replaced->second).value_or(content::ChannelList{});
    compare_channels(printable(product), old, *list, out);
  }
  return out;
}

}  // namespace shoal::publish
