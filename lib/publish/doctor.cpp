// One function for each question: expiry, thresholds, old roots, settings, the keys at hand, and
// proposals that wait. Each adds what it finds; the gravest are sorted to the front.
#include "publish/doctor.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/file.hpp"
#include "publish/pending.hpp"
#include "publish/proposal.hpp"
#include "publish/review.hpp"
#include "publish/root_change.hpp"
#include "publish/root_copy.hpp"
#include "publish/root_proposal.hpp"
#include "publish/state.hpp"
#include "trust/fingerprint.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr std::chrono::days kLongTimestamp{31}, kLongRoot{800};

class Doctor {
 public:
  Doctor(const Layout& layout, const State& state, UtcSeconds now, KeyStore* keys)
      : layout_(layout), state_(state), now_(now), keys_(keys) {}

  DoctorReport run() {
    for (auto role : kTopLevelRoles) {
      auto [version, expires] = top_level(role);
      add_role(role, version, expires, {keys_of_role(state_.root, role), state_.root.keys});
    }
    for (const auto& delegation : state_.targets.delegations) {
      const auto& body = state_.products.at(delegation.role);
      add_role(delegation.role, body.version, body.expires, {delegation.keys, state_.targets.keys});
      check_delegation(delegation);
    }
    check_old_roots();
    check_settings();
    check_root_copy();
    check_pending();
    std::ranges::stable_sort(report_.findings, {}, &Diagnosis::severity);
    return std::move(report_);
  }

 private:
  void find(Severity severity, std::string role, std::string message, std::string remedy) {
    report_.findings.push_back({severity, std::move(role), std::move(message), std::move(remedy)});
  }

  std::pair<std::uint64_t, UtcSeconds> top_level(std::string_view role) const {
    if (role == "root") return {state_.root.version, state_.root.expires};
    if (role == "targets") return {state_.targets.version, state_.targets.expires};
    if (role == "snapshot") return {state_.snapshot.version, state_.snapshot.expires};
    return {state_.timestamp.version, state_.timestamp.expires};
  }

  void add_role(const std::string& name, std::uint64_t version, UtcSeconds expires,
                const Party& party) {
    DoctorRole role{name, version, expires, party.role.threshold, {}};
    for (const auto& id : party.role.key_ids) {
      auto key = party.keys.find(id);
      role.keys.push_back({id, key == party.keys.end() ? "" : trust::fingerprint_words(key->second),
                           keys_ && keys_->count({{id}, 1}) == 1});
    }
    check_expiry(name, expires);
    check_threshold(name, party);
    if (keys_) check_keys_here(name, party.role);
    if (keys_) check_key_files(name, party.role);
    report_.roles.push_back(std::move(role));
  }

  void check_expiry(const std::string& role, UtcSeconds expires) {
    bool online = role == "snapshot" || role == "timestamp";
    std::string remedy = online ? "Run 'shoal-publish refresh', and look why its timer did not."
                         : role == "root"
                             ? "Make a new root: 'root propose REPO --expires \"in 1 year\"'."
                             : "Run 'shoal-publish refresh --all' with its keys.";
    if (expires <= now_) {
      find(Severity::breaks, role,
           fmt::format("expired at {}: clients refuse it", format_utc(expires)), remedy);
      return;
    }
    auto days = std::chrono::floor<std::chrono::days>(expires - now_).count();
    if (expires - now_ < (online ? kOnlineHorizon : kDoctorHorizon))
      find(Severity::breaks, role,
           fmt::format("expires in {} days, at {}", days, format_utc(expires)), remedy);
    else if (!online && expires - now_ < 2 * kDoctorHorizon)
      find(Severity::note, role,
           fmt::format("expires in {} days, at {}", days, format_utc(expires)), remedy);
  }

  void check_threshold(const std::string& role, const Party& party) {
    std::set<std::string> usable;  // by what the key is, whatever it is called
    for (const auto& id : party.role.key_ids) {
      auto key = party.keys.find(id);
      if (key == party.keys.end()) continue;
      usable.insert(trust::key_id(key->second));
      if (trust::key_id(key->second) != id)
        find(Severity::warning, role,
             fmt::format("the key {} does not have the id that follows from it",
                         printable(id.substr(0, kMinIdDigits))),
             "Add the key again under its own id, and remove this one.");
    }
    auto threshold = party.role.threshold;
    std::string remedy = "Add a key that somebody else keeps.";
    if (usable.size() < threshold)
      find(Severity::breaks, role,
           fmt::format("must be signed by {} keys and has {}: nobody can sign it again", threshold,
                       usable.size()),
           "Add keys, or lower the threshold, with whoever delegates to it.");
    else if (usable.size() == threshold && (role == "root" || threshold > 1))
      find(Severity::warning, role,
           fmt::format("all of its {} keys must sign: one that is lost {}", threshold,
                       role == "root" ? "cannot be replaced" : "stops it until it is replaced"),
           remedy);
    if (role == "root" && threshold == 1)
      find(Severity::warning, role, "one stolen key is enough to take the whole repository over",
           "Give several people a key: --add-key F --add-key F --threshold root=2.");
  }

  void check_keys_here(const std::string& role, const trust::RoleKeys& allowed) {
    auto here = keys_->count(allowed);
    if (here < allowed.threshold)
      find(Severity::note, role,
           fmt::format("{} of its {} keys are here, {} must sign", here, allowed.key_ids.size(),
                       allowed.threshold),
           "Others must sign it, by a proposal.");
  }

  // How the secret keys that are here are kept.
  void check_key_files(const std::string& role, const trust::RoleKeys& allowed) {
    const bool online = role == "snapshot" || role == "timestamp";
    for (const auto& id : allowed.key_ids) {
      auto file = keys_->file_of_key(id);
      if (!file) continue;
      if (file->readable_by_others)
        find(Severity::warning, role,
             fmt::format("others on this machine can read {}", file->path.native()),
             "chmod 600, and a new key if somebody may have read it.");
      if (!file->sealed && !online)
        find(Severity::warning, role,
             fmt::format("{} is not sealed under a passphrase", file->path.native()),
             "Whoever gets hold of the file can sign: make a new key, and remove this one.");
    }
  }

  void check_delegation(const trust::Delegation& delegation) {
    if (!delegation.path_hash_prefixes.empty())
      find(Severity::warning, printable(delegation.role),
           "speaks for files by the hashes of their names, beyond its own folder",
           "Check who delegated that to it.");
    for (auto online : {"snapshot", "timestamp"})
      for (const auto& id : keys_of_role(state_.root, online).key_ids) {
        const auto& ids = delegation.keys.key_ids;
        if (std::ranges::find(ids, id) != ids.end())
          find(Severity::warning, printable(delegation.role),
               fmt::format("its key {} also signs {}, which is done on a machine that is online",
                           printable(id.substr(0, kMinIdDigits)), online),
               "Give it a key of its own, with 'delegate'.");
      }
    for (const auto& id : keys_of_role(state_.root, "root").key_ids)
      if (std::ranges::find(delegation.keys.key_ids, id) != delegation.keys.key_ids.end())
        find(Severity::warning, printable(delegation.role),
             fmt::format("its key {} also signs the root, and is used for every release",
                         printable(id.substr(0, kMinIdDigits))),
             "Give it a key of its own, with 'delegate'.");
    for (const auto& path : delegation.paths)
      if (!path.starts_with(delegation.role + "/"))
        find(Severity::warning, printable(delegation.role),
             fmt::format("speaks for '{}', beyond its own folder", printable(path)),
             "Check who delegated that to it.");
  }

  void check_old_roots() {
    auto roots = published_roots(layout_, state_);
    if (!roots) return;  // the newest cannot be read: check_root_copy() says so
    std::uint64_t from = state_.root.version;
    for (std::size_t i = roots->size() - 1; i > 0; --i) {
      auto older = trust::TrustedMetadata::begin((*roots)[i - 1], UtcSeconds{}, trust::Limits{});
      if (!older || !older->update_root((*roots)[i])) break;
      --from;
    }
    if (from > 1)
      find(Severity::breaks, "root",
           fmt::format("clients on roots 1 to {} cannot follow: a root after theirs is missing, or "
                       "not signed by its predecessor's keys",
                       from - 1),
           "Put the metadata/N.root.json that are missing back from a copy.");
  }

  void check_settings() {
    const auto& root = state_.root;
    for (auto online : {"snapshot", "timestamp"})
      for (auto offline : {"root", "targets"})
        for (const auto& id : keys_of_role(root, online).key_ids) {
          const auto& ids = keys_of_role(root, offline).key_ids;
          if (std::ranges::find(ids, id) != ids.end())
            find(Severity::warning, offline,
                 fmt::format("its key {} also signs {}, which is done on a machine that is online",
                             printable(id.substr(0, kMinIdDigits)), online),
                 fmt::format("Give it a key of its own: 'root propose --rotate {0} --add-key "
                             "{0}=FILE'.",
                             online));
        }
    for (const auto& id : root.root.key_ids)
      if (std::ranges::find(root.targets.key_ids, id) != root.targets.key_ids.end())
        find(Severity::warning, "targets",
             fmt::format("its key {} also signs the root: a thief of one has the other",
                         printable(id.substr(0, kMinIdDigits))),
             "Give it a key of its own: 'root propose --rotate targets --add-key targets=FILE'.");
    if (!root.consistent_snapshot)
      find(Severity::breaks, "root",
           "consistent snapshots are off: clients ask for files without a version or a hash in "
           "their names, and here there are none",
           "Make a new root, which turns them on: 'root propose REPO --expires \"in 1 year\"'.");
    if (state_.timestamp.expires - now_ > kLongTimestamp)
      find(Severity::warning, "timestamp",
           "is good for more than a month: so long an attacker can hide a new release", "");
    if (root.expires - now_ > kLongRoot)
      find(Severity::warning, "root",
           "is good for more than two years: nobody will remember how it "
           "is renewed",
           "");
  }

  void check_root_copy() {
    const auto numbered = "metadata/" + metadata_name(state_.root.version, "root");
    switch (compare_root_copies(layout_, state_)) {
      case RootCopies::same:
        return;
      case RootCopies::copy_is_older:
        return find(Severity::warning, "root", "root.json is not the newest root",
                    fmt::format("Copy {} over it.", numbered));
      case RootCopies::numbered_is_lost:
        return find(Severity::breaks, "root",
                    fmt::format("{} is missing: clients on older roots cannot follow", numbered),
                    fmt::format("Copy root.json to {}.", numbered));
      case RootCopies::numbered_is_wrong:
        return find(Severity::breaks, "root",
                    fmt::format("{} is damaged: clients on older roots cannot follow", numbered),
                    fmt::format("Copy root.json over {}.", numbered));
      case RootCopies::two_roots:
        return find(
            Severity::breaks, "root",
            fmt::format("root.json and {} are two different roots, both of them signed", numbered),
            "Find out which one clients have, and copy it over the other.");
    }
  }

  // Those with files of their own are given up by deleting them: see check_not_given_up().
  void check_pending() {
    const auto readable = pending_proposals(layout_);
    std::error_code error;
    for (std::filesystem::directory_iterator entry(layout_.pending(), error), end;
         !error && entry != end; entry.increment(error))
      if (entry->path().extension() == ".proposal" && !readable.contains(entry->path()))
        find(Severity::note, entry->path().stem(), "a proposal for it cannot be read",
             fmt::format("Put {} back from a copy, or delete it.", entry->path().native()));
    for (const auto& [file, proposal] : readable) {
      const auto role = file.stem().native();
      if (!can_be_applied(proposal, state_, now_)) {
        find(Severity::note, role,
             "a proposal for it can no longer be applied: it expired, or something else was "
             "published in its place",
             fmt::format("Delete {}, and every copy: one that is signed could be published with "
                         "stolen online keys until it expires.",
                         file.native()));
        continue;
      }
      find(Severity::note, role, "a proposal for it waits for signatures",
           fmt::format("'product review {}' shows whose; {}.", file.native(),
                       names_new_files(proposal, state_)
                           ? "delete the file to give it up"
                           : "to give it up, destroy every copy: one that is signed can be applied "
                             "until something else is published in its place"));
    }
  }

  const Layout& layout_;
  const State& state_;
  UtcSeconds now_;
  KeyStore* keys_;
  DoctorReport report_;
};

}  // namespace

const char* name_of(Severity severity) {
  switch (severity) {
    case Severity::breaks:
      return "breaks";
    case Severity::warning:
      return "warning";
    case Severity::note:
      return "note";
  }
  return "";
}

Result<DoctorReport> diagnose(const std::filesystem::path& repository, UtcSeconds now,
                              KeyStore* keys) {
  Layout layout(repository);
  auto state = load_state(layout);
  if (state) return Doctor(layout, *state, now, keys).run();
  std::error_code ignored;
  if (!std::filesystem::exists(layout.timestamp(), ignored) &&
      !std::filesystem::exists(layout.root_copy(), ignored))
    return std::unexpected(std::move(state.error()));
  auto remedy = state.error().remedy;
  if (remedy.empty()) remedy = kPutBack;
  DoctorReport report;
  report.findings.push_back({Severity::breaks, "", state.error().message, std::move(remedy)});
  return report;
}

}  // namespace shoal::publish
