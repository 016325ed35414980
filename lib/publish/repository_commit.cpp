// The commit: target files, product roles, the top level, the snapshot, and the timestamp last.
// Everything before the timestamp has a name of its own (a hash or a new version), so that nothing
// in force is ever overwritten. Where signatures are missing it stops before the roles.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "publish/describe.hpp"
#include "publish/pending.hpp"
#include "publish/repository.hpp"
#include "publish/root_proposal.hpp"
#include "trust/fingerprint.hpp"

namespace shoal::publish {
namespace {

const trust::Delegation* delegation_of(const State& state, const std::string& product) {
  auto found = std::ranges::find_if(state.targets.delegations,
                                    [&](const auto& entry) { return entry.role == product; });
  return found == state.targets.delegations.end() ? nullptr : &*found;
}

// Whose signatures a role needs in that state.
Result<Party> party_of(const State& state, const std::string& role) {
  if (role == "targets") return Party{state.root.targets, state.root.keys};
  const auto* delegation = delegation_of(state, role);
  if (!delegation) return fail(ErrorKind::internal, fmt::format("no delegation to '{}'", role));
  return Party{delegation->keys, state.targets.keys};
}

}  // namespace

Result<void> Repository::write(const std::filesystem::path& path, ByteView bytes) const {
  if (environment_.before_change) SHOAL_TRY(environment_.before_change());
  return environment_.write ? environment_.write(path, bytes) : write_file_atomic(path, bytes);
}

Result<void> Repository::write_metadata(const std::vector<MetadataFile>& files) const {
  for (const auto& file : files) SHOAL_TRY(write(layout_.metadata() / file.name, file.bytes));
  return {};
}

Result<void> Repository::write_files(const std::vector<TargetFile>& files) const {
  for (const auto& file : files) {
    SHOAL_ASSIGN(auto path, RelativePath::parse(file.path));
    auto where = layout_.target(path, sha256(file.bytes));
    SHOAL_TRY(make_directories(where.parent_path()));
    SHOAL_TRY(write(where, file.bytes));
  }
  return {};
}

std::vector<ProposedRole> Repository::next_roles(const Edit& edit, State& next) const {
  std::vector<ProposedRole> roles;
  auto advance = [&](const std::string& role, trust::Targets& body) {
    auto listed = state_.snapshot.meta.find(role);
    body.version = listed == state_.snapshot.meta.end() ? 1 : listed->second.version + 1;
    body.expires = environment_.now + environment_.lifetimes.targets;
    roles.push_back({role, trust::signed_bytes_of(body), {}});
  };
  for (const auto& [product, body] : edit.products) {
    next.products[product] = body;
    advance(product, next.products[product]);
  }
  if (edit.targets) {
    next.targets = *edit.targets;
    advance("targets", next.targets);
  }
  return roles;
}

namespace {

bool is_channel_list(const std::string& path) {
  return path == content::channels_target(path.substr(0, path.find('/')));
}

// A role's metadata in that state; null when it is not there.
const trust::Targets* body_of(const State& state, const std::string& role) {
  if (role == "targets") return &state.targets;
  auto product = state.products.find(role);
  return product == state.products.end() ? nullptr : &product->second;
}

// What else goes when those roles are published, one sentence for each proposal.
std::vector<std::string> describe_superseded(
    const std::vector<ProposedRole>& roles, const std::map<std::string, WaitingProposal>& waiting) {
  std::map<std::filesystem::path, std::string> said;
  for (const auto& role : roles)
    if (auto found = waiting.find(role.role); found != waiting.end())
      said.try_emplace(found->second.file,
                       fmt::format("{}: the proposal that waits in {} is superseded: it can no "
                                   "longer be applied",
                                   role.role, found->second.file.native()));
  std::vector<std::string> out;
  out.reserve(said.size());
  for (auto& [file, line] : said) out.push_back(std::move(line));
  return out;
}

}  // namespace

void SigningNotice::add(const std::string& role,
                        const std::vector<const trust::SigningKey*>& signers) {
  for (const auto* signer : signers) {
    auto known = std::ranges::find(keys, signer->id(), &SigningNotice::Key::id);
    if (known == keys.end())
      keys.push_back({signer->id(), trust::fingerprint_words(signer->public_key()), {role}});
    else
      known->roles.push_back(role);
  }
}

Result<void> Repository::announce(const std::vector<ProposedRole>& roles, const Edit& edit,
                                  const State& next, bool published, KeyStore& keys) const {
  if (!environment_.about_to_sign || roles.empty()) return {};
  SigningNotice notice;
  std::map<std::string, Bytes> files;
  for (const auto& file : edit.files) files[file.path] = file.bytes;
  for (const auto& role : roles) {
    for (auto& line :
         describe_next_version(role.role, body_of(state_, role.role), *body_of(next, role.role)))
      notice.changes.push_back(std::move(line));
    SHOAL_ASSIGN(auto party, party_of(next, role.role));
    SHOAL_ASSIGN(auto signers, keys.signers(party.role));
    notice.add(role.role, signers);
  }
  SHOAL_ASSIGN(auto replaced, channels_in_force(edit));
  for (auto& line : describe_channels(replaced, files)) notice.changes.push_back(std::move(line));
  if (published) {
    for (auto& line :
         describe_superseded(roles, roles_that_wait(layout_, state_, environment_.now)))
      notice.changes.push_back(std::move(line));
    SHOAL_ASSIGN(auto snapshot, keys.signers(next.root.snapshot));
    notice.add("snapshot", snapshot);
    SHOAL_ASSIGN(auto timestamp, keys.signers(next.root.timestamp));
    notice.add("timestamp", timestamp);
  }
  environment_.about_to_sign(notice);
  return {};
}

Result<void> Repository::sign_roles(std::vector<ProposedRole>& roles, const Edit& edit,
                                    const State& next, bool published, KeyStore& keys) const {
  SHOAL_TRY(announce(roles, edit, next, published, keys));
  for (auto& role : roles) {
    SHOAL_ASSIGN(auto party, party_of(next, role.role));
    SHOAL_ASSIGN(auto signers, keys.signers(party.role));
    for (const auto* key : signers)
      role.signatures.push_back(trust::sign_bytes(*key, role.signed_bytes));
  }
  return {};
}

namespace {

// The roles' files; the snapshot of `next` is to list them.
Result<std::vector<MetadataFile>> list_roles(const std::vector<ProposedRole>& roles, State& next) {
  std::vector<MetadataFile> files;
  for (const auto& role : roles) {
    Bytes bytes = role.file();
    if (bytes.size() > trust::Limits{}.targets_bytes)
      return fail(ErrorKind::too_large,
                  fmt::format("the metadata of '{}' would have {} bytes, more than clients read",
                              role.role, bytes.size()));
    SHOAL_TRY(check_readable(role));
    auto version =
        role.role == "targets" ? next.targets.version : next.products.at(role.role).version;
    next.snapshot.meta[role.role] = trust::describe_metadata(bytes, version);
    files.push_back({metadata_name(version, role.role), std::move(bytes)});
  }
  return files;
}

}  // namespace

Result<std::vector<MetadataFile>> Repository::sign_metadata(const std::vector<ProposedRole>& roles,
                                                            State& next, bool new_snapshot,
                                                            KeyStore& keys) const {
  // While a root is being replaced, the keys of both may sign: see root_apply.cpp.
  auto signers_of = [&](const trust::RoleKeys& now, const trust::RoleKeys& before,
                        std::string_view role) -> Result<std::vector<const trust::SigningKey*>> {
    SHOAL_ASSIGN(auto signers, keys.enough_signers(now, role));
    SHOAL_ASSIGN(auto older, keys.signers(before));
    for (const auto* key : older)
      if (std::ranges::find(signers, key) == signers.end()) signers.push_back(key);
    return signers;
  };
  SHOAL_ASSIGN(auto files, list_roles(roles, next));
  SHOAL_ASSIGN(auto timestamp_signers,
               signers_of(next.root.timestamp, state_.root.timestamp, "timestamp"));
  if (new_snapshot) {
    SHOAL_ASSIGN(auto signers, signers_of(next.root.snapshot, state_.root.snapshot, "snapshot"));
    ++next.snapshot.version;
    next.snapshot.expires = environment_.now + environment_.lifetimes.snapshot;
    Bytes snapshot = trust::sign_snapshot(next.snapshot, signers);
    next.timestamp.snapshot = trust::describe_metadata(snapshot, next.snapshot.version);
    files.push_back({metadata_name(next.snapshot.version, "snapshot"), std::move(snapshot)});
  }
  ++next.timestamp.version;
  next.timestamp.expires = environment_.now + environment_.lifetimes.timestamp;
  files.push_back({kTimestampName, trust::sign_timestamp(next.timestamp, timestamp_signers)});
  return files;
}

Result<void> Repository::publish(State next, const std::vector<ProposedRole>& roles,
                                 bool new_snapshot, KeyStore& keys) {
  SHOAL_ASSIGN(auto files, sign_metadata(roles, next, new_snapshot || !roles.empty(), keys));
  SHOAL_TRY(write_metadata(files));
  state_ = std::move(next);
  return {};
}

Result<std::optional<Proposal>> Repository::commit(Edit edit, KeyStore& keys, bool may_propose) {
  State next = state_;
  auto roles = next_roles(edit, next);
  bool complete = true;
  std::vector<std::string> names;
  for (const auto& role : roles) {
    SHOAL_TRY(check_readable(role));
    names.push_back(role.role);
    SHOAL_ASSIGN(auto party, party_of(next, role.role));
    auto enough = keys.check_enough(party.role, role.role);
    if (enough) continue;
    if (!may_propose) {
      enough.error().remedy += " Or leave it to others to sign, with --propose FILE.";
      return std::unexpected(std::move(enough.error()));
    }
    complete = false;
  }
  if (complete) {
    SHOAL_TRY(keys.check_enough(next.root.snapshot, "snapshot"));
    SHOAL_TRY(keys.check_enough(next.root.timestamp, "timestamp"));
  } else {
    SHOAL_TRY(check_none_waits(names));
  }
  SHOAL_TRY(sign_roles(roles, edit, next, complete, keys));
  SHOAL_TRY(write_files(edit.files));
  if (!complete) {
    SHOAL_ASSIGN(auto proposal, leave_proposal(edit, std::move(roles)));
    return proposal;
  }
  SHOAL_TRY(publish(std::move(next), roles, true, keys));
  return std::nullopt;
}

Result<void> Repository::check_none_waits(const std::vector<std::string>& roles,
                                          const Proposal* applied) const {
  const auto waiting = roles_that_wait(layout_, state_, environment_.now, applied);
  for (const auto& role : roles) {
    auto found = waiting.find(role);
    if (found == waiting.end() || !found->second.with_files) continue;
    return fail(ErrorKind::conflict,
                fmt::format("a proposal for '{}' waits for signatures in {}, and its files would "
                            "be lost with another one",
                            role, found->second.file.native()),
                "Apply it first (copy that file if yours is lost); or delete it to give it up, and "
                "do this again.");
  }
  return {};
}

Result<std::map<std::string, Bytes>> Repository::channels_in_force(const Edit& edit) const {
  std::map<std::string, Bytes> out;
  for (const auto& file : edit.files) {
    if (!is_channel_list(file.path) || !state_.find(file.path)) continue;
    SHOAL_ASSIGN(out[file.path], read_target(layout_, state_, file.path));
  }
  return out;
}

Result<Proposal> Repository::leave_proposal(const Edit& edit,
                                            std::vector<ProposedRole> roles) const {
  Proposal proposal;
  proposal.kind = ProposalKind::product;
  SHOAL_ASSIGN(proposal.roots, published_roots(layout_, state_));
  SHOAL_TRY(add_in_force(layout_, state_, "targets", proposal));
  for (const auto& role : roles)
    if (role.role != "targets" && state_.products.contains(role.role))
      SHOAL_TRY(add_in_force(layout_, state_, role.role, proposal));
  for (const auto& file : edit.files)
    if (is_channel_list(file.path)) proposal.files[file.path] = file.bytes;
  SHOAL_ASSIGN(proposal.files_in_force, channels_in_force(edit));
  proposal.roles = std::move(roles);
  // Kept here too, so that nothing that it names is cleaned away before it is applied.
  SHOAL_TRY(make_directories(layout_.pending()));
  Bytes bytes = format_proposal(proposal);
  if (auto readable = parse_proposal(bytes); !readable)
    return fail(
        readable.error().kind, fmt::format("nobody could read this {}", readable.error().message),
        "Renew some of its products apart from the others: with their keys (--keys), or by a "
        "release or a change of a channel of theirs.");
  SHOAL_TRY(write(layout_.pending(proposal.roles.front().role), bytes));
  return proposal;
}

}  // namespace shoal::publish
