// Follows the signatures from the first root to what is proposed, as a client would, so that what a
// review says about "before" is what was published, and counts who has signed the new.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "publish/proposal.hpp"
#include "publish/proposal_scope.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

std::unexpected<Error> invalid(std::string why) {
  return fail(ErrorKind::metadata_invalid, "proposal: " + why,
              "Ask for the file again from whoever made it.");
}

Result<void> check_roots(const Proposal& proposal, CheckedProposal& out) {
  for (const auto& bytes : proposal.roots) {
    SHOAL_ASSIGN(auto document, trust::parse_root(bytes, kLimits));
    if (!out.roots.empty() && document.body.version != out.roots.back().version + 1)
      return invalid(fmt::format("root {} is not at its place", document.body.version));
    out.roots.push_back(std::move(document.body));
  }
  out.unbroken_from = out.roots.front().version;
  // The newest one is self-signed at least; older ones may be beyond reach, which is reported.
  SHOAL_TRY(trust::TrustedMetadata::begin(proposal.roots.back(), UtcSeconds{}, kLimits));
  for (std::size_t i = proposal.roots.size() - 1; i > 0; --i) {
    auto older = trust::TrustedMetadata::begin(proposal.roots[i - 1], UtcSeconds{}, kLimits);
    if (!older || !older->update_root(proposal.roots[i])) {
      out.unbroken_from = out.roots[i].version;
      break;
    }
  }
  return {};
}

const trust::Delegation* find_delegation(const trust::Targets& targets, const std::string& role) {
  auto found = std::ranges::find_if(targets.delegations,
                                    [&](const auto& entry) { return entry.role == role; });
  return found == targets.delegations.end() ? nullptr : &*found;
}

Result<Party> delegated_party(const trust::Targets& targets, const std::string& role) {
  const auto* delegation = find_delegation(targets, role);
  if (!delegation) return invalid(fmt::format("nobody delegates to '{}'", role));
  return Party{delegation->keys, targets.keys};
}

// Takes what is in force over once it is signed by the newest published root's word.
Result<void> check_in_force(const Proposal& proposal, CheckedProposal& out) {
  auto take = [&](const std::string& role, const Bytes& bytes, const Party& party) -> Result<void> {
    SHOAL_ASSIGN(auto document, trust::parse_targets(bytes, role, kLimits));
    SHOAL_TRY(trust::check_threshold(party.role, party.keys, document.signed_bytes,
                                     document.signatures, role));
    out.in_force[role] = std::move(document.body);
    return {};
  };
  auto targets = proposal.in_force.find("targets");
  if (targets != proposal.in_force.end())
    SHOAL_TRY(take("targets", targets->second, {out.root().targets, out.root().keys}));
  for (const auto& [role, bytes] : proposal.in_force) {
    if (role == "targets") continue;
    if (role == "root" || !out.in_force.contains("targets"))
      return invalid(fmt::format("'{}' cannot be in force by itself", role));
    SHOAL_ASSIGN(auto party, delegated_party(out.in_force.at("targets"), role));
    SHOAL_TRY(take(role, bytes, party));
  }
  return {};
}

Result<void> check_next(const CheckedProposal& out, const CheckedRole& role) {
  const auto* before = out.body_in_force(role.role);
  std::uint64_t last = role.role == "root" ? out.root().version : before ? before->version : 0;
  if (role.version == last + 1) return {};
  return invalid(fmt::format("'{}' would go from version {} to {}", role.role, last, role.version));
}

Result<CheckedRole> check_root_role(const ProposedRole& proposed, CheckedProposal& out) {
  SHOAL_ASSIGN(auto document, trust::parse_root(proposed.file(), kLimits));
  CheckedRole role{proposed.role, document.body.version, document.body.expires, {}, {}, true, 0, 0};
  role.after = {document.body.root, document.body.keys};
  role.before = Party{out.root().root, out.root().keys};
  out.new_root = std::move(document.body);
  return role;
}

Result<CheckedRole> check_targets_role(const ProposedRole& proposed, CheckedProposal& out) {
  SHOAL_ASSIGN(auto document, trust::parse_targets(proposed.file(), proposed.role, kLimits));
  CheckedRole role{
      proposed.role, document.body.version, document.body.expires, {}, {}, false, 0, 0};
  if (proposed.role == "targets") {
    const auto& root = out.new_root ? *out.new_root : out.root();
    role.after = {root.targets, root.keys};
    if (out.new_root) role.before = Party{out.root().targets, out.root().keys};
  } else {
    const auto& speaks = out.proposed.contains("targets") ? out.proposed : out.in_force;
    auto delegator = speaks.find("targets");
    if (delegator == speaks.end())
      return invalid(fmt::format("it does not say who speaks for '{}'", proposed.role));
    SHOAL_ASSIGN(role.after, delegated_party(delegator->second, proposed.role));
  }
  out.proposed[proposed.role] = std::move(document.body);
  return role;
}

// What is said about a small file must be about the very file that would be published, or is.
Result<void> check_files(const std::map<std::string, Bytes>& files,
                         const std::map<std::string, trust::Targets>& roles) {
  for (const auto& [path, bytes] : files) {
    bool named = std::ranges::any_of(roles, [&](const auto& role) {
      auto target = role.second.targets.find(path);
      return target != role.second.targets.end() &&
             trust::check_file(bytes, target->second.length, target->second.hashes, path);
    });
    if (!named) return invalid(fmt::format("the file {} is not one that it publishes", path));
  }
  return {};
}

}  // namespace

std::vector<std::string> Party::signed_by(const ProposedRole& document) const {
  std::vector<std::string> out;
  std::set<Digest> material;
  for (const auto& signature : document.signatures) {
    if (std::ranges::find(role.key_ids, signature.key_id) == role.key_ids.end()) continue;
    auto key = keys.find(signature.key_id);
    if (key == keys.end()) continue;
    auto checked =
        trust::check_signature(key->second, as_bytes(document.signed_bytes), signature.value);
    if (checked.check == trust::SignatureCheck::good && material.insert(checked.material).second)
      out.push_back(signature.key_id);
  }
  return out;
}

const trust::Targets* CheckedProposal::body_in_force(const std::string& role) const {
  auto found = in_force.find(role);
  return found == in_force.end() ? nullptr : &found->second;
}

bool CheckedProposal::complete() const {
  return std::ranges::all_of(roles, [](const auto& role) { return role.complete(); });
}

Result<CheckedProposal> check_proposal(const Proposal& proposal) {
  CheckedProposal out;
  out.kind = proposal.kind;
  SHOAL_TRY(check_roots(proposal, out));
  SHOAL_TRY(check_in_force(proposal, out));
  // The root first, then targets: each says who signs those after it.
  auto rank = [](const std::string& role) {
    return role == "root" ? 0 : role == "targets" ? 1 : 2;
  };
  std::vector<const ProposedRole*> order;
  order.reserve(proposal.roles.size());
  for (const auto& proposed : proposal.roles) order.push_back(&proposed);
  std::ranges::stable_sort(order, {}, [&](const auto* entry) { return rank(entry->role); });
  for (const auto* proposed : order) {
    auto role = proposed->role == "root" ? check_root_role(*proposed, out)
                                         : check_targets_role(*proposed, out);
    if (!role) return std::unexpected(std::move(role.error()));
    SHOAL_TRY(check_next(out, *role));
    role->signed_after = role->after.signed_by(*proposed).size();
    if (role->before) role->signed_before = role->before->signed_by(*proposed).size();
    out.roles.push_back(*std::move(role));
  }
  SHOAL_TRY(check_files(proposal.files, out.proposed));
  SHOAL_TRY(check_files(proposal.files_in_force, out.in_force));
  SHOAL_TRY(check_scope(proposal, out));
  return out;
}

Result<std::uint64_t> check_descends_from(const Proposal& proposal, ByteView trusted_root) {
  SHOAL_ASSIGN(auto trusted, trust::parse_root(trusted_root, kLimits));
  for (std::size_t at = 0; at < proposal.roots.size(); ++at) {
    SHOAL_ASSIGN(auto there, trust::parse_root(proposal.roots[at], kLimits));
    if (there.signed_bytes != trusted.signed_bytes) continue;
    SHOAL_ASSIGN(auto chain, trust::TrustedMetadata::begin(proposal.roots[at], {}, kLimits));
    for (++at; at < proposal.roots.size(); ++at) SHOAL_TRY(chain.update_root(proposal.roots[at]));
    return trusted.body.version;
  }
  return fail(ErrorKind::signature_invalid,
              fmt::format("the proposal does not build on the root that you trust (version {})",
                          trusted.body.version),
              "Do not sign: it is for another repository, or made to deceive you.");
}

void keep_good_signatures(Proposal& proposal, const CheckedProposal& checked) {
  for (auto& proposed : proposal.roles) {
    std::set<std::string> good;
    for (const auto& role : checked.roles) {
      if (role.role != proposed.role) continue;
      for (auto& id : role.after.signed_by(proposed)) good.insert(std::move(id));
      if (role.before)
        for (auto& id : role.before->signed_by(proposed)) good.insert(std::move(id));
    }
    std::erase_if(proposed.signatures,
                  [&](const auto& entry) { return !good.contains(entry.key_id); });
  }
}

std::vector<std::string> roles_of_key(const CheckedProposal& checked, const std::string& key_id) {
  std::vector<std::string> out;
  auto in = [&](const Party& party) {
    return std::ranges::find(party.role.key_ids, key_id) != party.role.key_ids.end() &&
           party.keys.contains(key_id);
  };
  for (const auto& role : checked.roles)
    if (in(role.after) || (role.before && in(*role.before))) out.push_back(role.role);
  return out;
}

Result<std::vector<std::string>> sign_proposal(Proposal& proposal, const CheckedProposal& checked,
                                               const trust::SigningKey& key) {
  auto roles = roles_of_key(checked, key.id());
  if (roles.empty())
    return fail(ErrorKind::not_allowed,
                fmt::format("the key {} signs nothing in this proposal", key.id().substr(0, 8)),
                "'review' shows whose signatures are missing.");
  for (auto& proposed : proposal.roles) {
    if (std::ranges::find(roles, proposed.role) == roles.end()) continue;
    std::erase_if(proposed.signatures, [&](const auto& entry) { return entry.key_id == key.id(); });
    proposed.signatures.push_back(trust::sign_bytes(key, proposed.signed_bytes));
  }
  return roles;
}

}  // namespace shoal::publish
