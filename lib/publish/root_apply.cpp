// Publishing what several people signed. Clients read a root, a timestamp, a snapshot and targets
// one after the other: there must be no moment in which they do not fit. So what the old root's
// clients read is made to satisfy the new root's as well, then the root follows, and then a new
// timestamp, by which those hear of it who ask for that first. To the timestamp in force,
// signatures can be added; a new snapshot and its timestamp are signed by the old keys and the new.
// Where the old ones are lost no order will do, and all of it takes effect as one step
// (metadata_swap.hpp).
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "publish/pending.hpp"
#include "publish/repository.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

std::unexpected<Error> superseded(const std::string& role) {
  return fail(ErrorKind::conflict, fmt::format("'{}' has changed since this was proposed", role),
              "Propose it again, on what is published now.");
}

// A role's metadata that is in force, with its signatures; none for a role that is new.
Result<std::optional<trust::Document<trust::Targets>>> find_in_force(const Layout& layout,
                                                                     const State& state,
                                                                     const std::string& role) {
  auto listed = state.snapshot.meta.find(role);
  if (listed == state.snapshot.meta.end()) return std::nullopt;
  SHOAL_ASSIGN(auto bytes,
               read_file(layout.metadata(listed->second.version, role), kLimits.targets_bytes));
  return trust::parse_targets(bytes, role, kLimits);
}

// What was signed of it.
Result<std::optional<std::string>> signed_in_force(const Layout& layout, const State& state,
                                                   const std::string& role) {
  SHOAL_ASSIGN(auto document, find_in_force(layout, state, role));
  if (!document) return std::nullopt;
  return std::move(document->signed_bytes);
}

// A review compared the proposed with what the proposal calls in force. Any metadata that was ever
// signed could be called that: what came in between would be taken back, and no review say so.
Result<void> check_builds_on(const std::optional<std::string>& in_force, const Proposal& proposal,
                             const std::string& role) {
  auto claimed = proposal.in_force.find(role);
  if (claimed == proposal.in_force.end() && !in_force) return {};
  if (claimed != proposal.in_force.end() && in_force) {
    SHOAL_ASSIGN(auto document, trust::parse_targets(claimed->second, role, kLimits));
    if (document.signed_bytes == *in_force) return {};
  }
  return fail(ErrorKind::conflict,
              fmt::format("'{}' is not what the proposal says is in force: its review compared it "
                          "with something else",
                          role),
              "Ask who made it; destroy it, and propose again, on what is published now.");
}

// Whether a file's signatures are enough for those keys.
template <typename Body>
bool satisfies(const trust::Document<Body>& document, const trust::RoleKeys& role,
               const trust::Root& root) {
  return trust::check_threshold(role, root.keys, document.signed_bytes, document.signatures, "")
      .has_value();
}

struct InForce {
  trust::Document<trust::Targets> targets;
  trust::Document<trust::Snapshot> snapshot;
  trust::Document<trust::Timestamp> timestamp;
};

Result<InForce> read_in_force(const Layout& layout, const State& state) {
  SHOAL_ASSIGN(auto targets,
               read_file(layout.metadata(state.targets.version, "targets"), kLimits.targets_bytes));
  SHOAL_ASSIGN(auto snapshot, read_file(layout.metadata(state.snapshot.version, "snapshot"),
                                        kLimits.snapshot_bytes));
  SHOAL_ASSIGN(auto timestamp, read_file(layout.timestamp(), kLimits.timestamp_bytes));
  InForce out;
  SHOAL_ASSIGN(out.targets, trust::parse_targets(targets, "targets", kLimits));
  SHOAL_ASSIGN(out.snapshot, trust::parse_snapshot(snapshot, kLimits));
  SHOAL_ASSIGN(out.timestamp, trust::parse_timestamp(timestamp, kLimits));
  return out;
}

// The same statement with more signatures: those who accepted it still do.
Bytes signed_also_by(trust::Document<trust::Timestamp> document,
                     const std::vector<const trust::SigningKey*>& signers) {
  for (const auto* key : signers)
    if (std::ranges::none_of(document.signatures,
                             [&](const auto& entry) { return entry.key_id == key->id(); }))
      document.signatures.push_back(trust::sign_bytes(*key, document.signed_bytes));
  return trust::join_signatures(document.signed_bytes, document.signatures);
}

// The products that a proposal gives other keys, but no next version: what is in force must be
// signed by enough of those keys. Something else may have been published since the proposal was
// made, or its carrier left the product's part out; clients would refuse the product, and so would
// we.
Result<void> check_others_stay_signed(const Layout& layout, const State& state, const State& next,
                                      const std::vector<ProposedRole>& roles) {
  if (std::ranges::find(roles, "targets", &ProposedRole::role) == roles.end()) return {};
  for (const auto& delegation : next.targets.delegations) {
    const auto& product = delegation.role;
    if (std::ranges::find(roles, product, &ProposedRole::role) != roles.end()) continue;
    SHOAL_ASSIGN(const auto document, find_in_force(layout, state, product));
    if (!document) return superseded(product);
    if (!trust::check_threshold(delegation.keys, next.targets.keys, document->signed_bytes,
                                document->signatures, product))
      return fail(ErrorKind::conflict,
                  fmt::format("'{}' as it is in force is signed by too few of the keys that it "
                              "would have: it has changed since this was proposed, or its next "
                              "version is missing from the proposal",
                              product),
                  "Propose it again, on what is published now.");
  }
  return {};
}

// Missing signatures are no attack here, but work that is left to do.
Result<void> explain_missing(Result<void> checked, const std::string& role) {
  if (checked || checked.error().kind != ErrorKind::signature_invalid) return checked;
  return fail(ErrorKind::signature_invalid, checked.error().message,
              fmt::format("Have the proposal signed by more of the holders of '{}''s keys; "
                          "'review' says whose signatures are missing.",
                          role));
}

// New targets must lie here as they are named; those in force were checked when they came.
Result<void> check_targets_here(const Layout& layout, const State& state,
                                const trust::Targets& body) {
  for (const auto& [path, meta] : body.targets) {
    const auto* known = state.find(path);
    if (known && known->hashes.sha256 == meta.hashes.sha256) continue;
    SHOAL_ASSIGN(auto relative, RelativePath::parse(path));
    if (!meta.hashes.sha256)
      return fail(ErrorKind::metadata_invalid, fmt::format("{} has no SHA-256", path));
    auto bytes = read_file(layout.target(relative, *meta.hashes.sha256), kLimits.target_file_bytes);
    if (!bytes && bytes.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::conflict,
                  fmt::format("{} of the proposal is not here: it was given up, or superseded by a "
                              "later proposal, or made on another copy of the repository",
                              path),
                  "Propose it again, or apply it where it was proposed.");
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    SHOAL_TRY(trust::check_file(*bytes, meta.length, meta.hashes, path));
  }
  return {};
}

std::vector<std::string> names_of(const std::vector<ProposedRole>& roles) {
  std::vector<std::string> out;
  out.reserve(roles.size());
  for (const auto& role : roles) out.push_back(role.role);
  return out;
}

}  // namespace

// It builds on roots of this repository, of which the newest may have come since.
Result<void> Repository::check_is_ours(const Proposal& proposal) const {
  SHOAL_ASSIGN(auto theirs, trust::parse_root(proposal.roots.back(), kLimits));
  const auto version = theirs.body.version;
  auto bytes = read_file(layout_.metadata(version, "root"), kLimits.root_bytes);
  if (!bytes && version <= state_.root.version) return {};  // lost: the signatures will tell
  if (bytes) {
    SHOAL_ASSIGN(auto ours, trust::parse_root(*bytes, kLimits));
    if (ours.signed_bytes == theirs.signed_bytes) return {};
  }
  return fail(
      ErrorKind::conflict,
      fmt::format("the proposal is for another repository: its root {} is not the one of {}",
                  version, layout_.root().native()),
      "Apply it to the repository that it was made for.");
}

Result<ApplyReport> Repository::apply(const Proposal& proposal, KeyStore& keys) {
  SHOAL_TRY(check_is_ours(proposal));
  SHOAL_ASSIGN(auto report, proposal.kind == ProposalKind::root ? apply_root(proposal, keys)
                                                                : apply_product(proposal, keys));
  clean_up(true, report.warnings);
  return report;
}

// The proposal's targets roles that are not in force yet, checked against this repository only.
Result<std::vector<ProposedRole>> Repository::take_over(const Proposal& proposal,
                                                        State& next) const {
  std::vector<ProposedRole> roles;
  auto take = [&](const ProposedRole& role, const Party& party) -> Result<void> {
    SHOAL_ASSIGN(auto document, trust::parse_targets(role.file(), role.role, kLimits));
    auto listed = state_.snapshot.meta.find(role.role);
    auto last = listed == state_.snapshot.meta.end() ? 0 : listed->second.version;
    SHOAL_ASSIGN(const auto in_force, signed_in_force(layout_, state_, role.role));
    // An apply that was killed half way has published it already.
    if (in_force == role.signed_bytes) return {};
    if (document.body.version != last + 1) return superseded(role.role);
    SHOAL_TRY(check_builds_on(in_force, proposal, role.role));
    SHOAL_TRY(explain_missing(trust::check_threshold(party.role, party.keys, document.signed_bytes,
                                                     document.signatures, role.role),
                              role.role));
    if (document.body.expires <= environment_.now)
      return fail(ErrorKind::metadata_expired,
                  fmt::format("what is proposed for '{}' has expired at {}", role.role,
                              format_utc(document.body.expires)),
                  "Propose it again.");
    SHOAL_TRY(check_targets_here(layout_, state_, document.body));
    roles.push_back(role);
    (role.role == "targets" ? next.targets : next.products[role.role]) = std::move(document.body);
    return {};
  };
  if (const auto* targets = proposal.find("targets"))
    SHOAL_TRY(take(*targets, {next.root.targets, next.root.keys}));
  for (const auto& role : proposal.roles) {
    if (role.role == "root" || role.role == "targets") continue;
    auto delegation = std::ranges::find_if(
        next.targets.delegations, [&](const auto& entry) { return entry.role == role.role; });
    if (delegation == next.targets.delegations.end()) return superseded("targets");
    SHOAL_TRY(take(role, {delegation->keys, next.targets.keys}));
  }
  return roles;
}

Result<ApplyReport> Repository::apply_product(const Proposal& proposal, KeyStore& keys) {
  State next = state_;
  SHOAL_ASSIGN(auto roles, take_over(proposal, next));
  if (roles.empty())
    return fail(ErrorKind::conflict, "the proposal was applied already", "Nothing is left to do.");
  SHOAL_TRY(check_not_given_up(layout_, state_, proposal));
  SHOAL_TRY(check_none_waits(names_of(roles), &proposal));
  SHOAL_TRY(check_others_stay_signed(layout_, state_, next, roles));
  SHOAL_TRY(publish(std::move(next), roles, true, keys));
  return ApplyReport{{"snapshot", "timestamp"}, true, {}};
}

Result<trust::Root> Repository::check_root(const Bytes& root) const {
  SHOAL_ASSIGN(auto newest,
               read_file(layout_.metadata(state_.root.version, "root"), kLimits.root_bytes));
  SHOAL_ASSIGN(auto chain, trust::TrustedMetadata::begin(newest, UtcSeconds{}, kLimits));
  SHOAL_ASSIGN(auto document, trust::parse_root(root, kLimits));
  SHOAL_ASSIGN(auto in_force, trust::parse_root(newest, kLimits));
  if (document.signed_bytes == in_force.signed_bytes)
    return fail(ErrorKind::conflict, "the proposal was applied already", "Nothing is left to do.");
  if (document.body.version != state_.root.version + 1) return superseded("root");
  auto followed = chain.update_root(root);
  if (!followed) SHOAL_TRY(explain_missing(fail(std::move(followed.error())), "root"));
  if (document.body.expires <= environment_.now)
    return fail(ErrorKind::metadata_expired, "the proposed root has expired",
                "Propose it again, with another --expires.");
  return std::move(document.body);
}

Result<ApplyReport> Repository::apply_root(const Proposal& proposal, KeyStore& keys) {
  Bytes root = proposal.find("root")->file();
  State next = state_;
  SHOAL_ASSIGN(next.root, check_root(root));
  SHOAL_ASSIGN(auto roles, take_over(proposal, next));
  SHOAL_TRY(check_none_waits(names_of(roles), &proposal));
  SHOAL_TRY(check_others_stay_signed(layout_, state_, next, roles));
  return put_root_in_force(root, std::move(next), roles, keys);
}

Result<ApplyReport> Repository::put_root_in_force(const Bytes& root, State next,
                                                  const std::vector<ProposedRole>& roles,
                                                  KeyStore& keys) {
  SHOAL_ASSIGN(auto now, read_in_force(layout_, state_));
  if (!roles.empty()) {
    SHOAL_ASSIGN(now.targets, trust::parse_targets(roles.front().file(), "targets", kLimits));
  }
  if (!satisfies(now.targets, next.root.targets, next.root)) return superseded("targets");
  const auto& before = state_.root;
  ApplyReport report;
  // What comes before the root; everything is signed before anything is written.
  std::vector<MetadataFile> files;
  if (!roles.empty() || !satisfies(now.snapshot, next.root.snapshot, next.root)) {
    SHOAL_ASSIGN(files, sign_metadata(roles, next, true, keys));
    SHOAL_ASSIGN(now.timestamp, trust::parse_timestamp(files.back().bytes, kLimits));
    SHOAL_ASSIGN(now.snapshot, trust::parse_snapshot(files[files.size() - 2].bytes, kLimits));
    report.signed_anew = {"snapshot"};
  } else if (!satisfies(now.timestamp, next.root.timestamp, next.root)) {
    SHOAL_ASSIGN(auto signers, keys.enough_signers(next.root.timestamp, "timestamp"));
    files.push_back({kTimestampName, signed_also_by(now.timestamp, signers)});
  }
  report.seamless = satisfies(now.targets, before.targets, before) &&
                    satisfies(now.snapshot, before.snapshot, before) &&
                    satisfies(now.timestamp, before.timestamp, before);
  files.push_back({metadata_name(next.root.version, "root"), root});
  if (files.size() > 1 || keys.check_enough(next.root.timestamp, "timestamp")) {
    SHOAL_ASSIGN(auto announcement, sign_metadata({}, next, false, keys));
    files.push_back(std::move(announcement.back()));
    report.signed_anew.emplace_back("timestamp");
  }
  auto write_one = [this](const auto& path, ByteView bytes) { return write(path, bytes); };
  auto before_change = [this] {
    return environment_.before_change ? environment_.before_change() : Result<void>();
  };
  if (report.seamless)
    SHOAL_TRY(write_metadata(files));
  else
    SHOAL_TRY(swap_metadata(layout_, files, write_one, before_change));
  state_ = std::move(next);
  SHOAL_TRY(write(layout_.root_copy(), root));
  return report;
}

}  // namespace shoal::publish
