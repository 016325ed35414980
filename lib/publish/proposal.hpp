// A change that several people sign, as a file that is carried from one to the next: what is to be
// published, what it replaces, and the signatures so far. Pure; the file is untrusted until
// check_proposal() has followed its signatures. Format: docs/formats/proposal.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "trust/metadata.hpp"
#include "trust/signing.hpp"

namespace shoal::publish {

inline constexpr std::uint64_t kMaxProposalBytes = 64ULL << 20;  // a stick with anything on it
inline constexpr std::size_t kMaxProposalRoots = 4096;           // published roots, one a file
inline constexpr std::size_t kMaxProposalRoles = 1024;           // a refresh of all products
inline constexpr std::size_t kMaxProposalFiles = 16;

enum class ProposalKind {
  root,     // a new root, and the targets metadata if its keys change
  product,  // a product's role, and the top-level targets if they change
};
const char* name_of(ProposalKind kind);

struct ProposedRole {
  std::string role;  // "root", "targets", or a product's id
  std::string signed_bytes;
  std::vector<trust::Signature> signatures;

  Bytes file() const { return trust::join_signatures(signed_bytes, signatures); }
};

// Whether what was made here can be read again. Not so where something that is in force holds more
// than this program writes of it: a key of another program, under an id made of all of it. Errors:
// metadata_invalid.
Result<void> check_readable(const ProposedRole& role);

struct Proposal {
  ProposalKind kind = ProposalKind::root;
  std::vector<Bytes> roots;               // those published, one after the other, to the newest
  std::map<std::string, Bytes> in_force;  // by role: the metadata that the proposed replaces
  std::vector<ProposedRole> roles;        // what is to be published
  std::map<std::string, Bytes> files;     // small new targets by path, for the review
  std::map<std::string, Bytes> files_in_force;  // those that they replace

  const ProposedRole* find(std::string_view role) const;
};

Bytes format_proposal(const Proposal& proposal);
// Errors: too_large, metadata_invalid, unsupported_version.
Result<Proposal> parse_proposal(ByteView file);

// Who may sign, of one side: the keys as a root or a targets role lists them.
struct Party {
  trust::RoleKeys role;
  trust::KeyMap keys;

  // The ids of those keys (distinct in their material) whose signature is right.
  std::vector<std::string> signed_by(const ProposedRole& document) const;
};

// A proposed role beside those who must sign it.
struct CheckedRole {
  std::string role;
  std::uint64_t version = 0;
  UtcSeconds expires{};
  Party after;                  // must sign: who speaks for the role from then on
  std::optional<Party> before;  // a root must be signed by the previous root's keys too; with the
                                // others it spares clients a moment in which they are refused
  bool before_must_sign = false;
  std::size_t signed_after = 0, signed_before = 0;  // so many keys have

  bool complete() const {
    return signed_after >= after.role.threshold &&
           (!before_must_sign || signed_before >= before->role.threshold);
  }
};

// What a proposal says, once it hangs together: the roots are a chain, what is in force is signed
// by it, and the proposed is the next version of each.
struct CheckedProposal {
  ProposalKind kind = ProposalKind::root;
  std::vector<trust::Root> roots;
  // The lowest version from which clients reach the newest published root.
  std::uint64_t unbroken_from = 1;
  std::optional<trust::Root> new_root;
  std::map<std::string, trust::Targets> in_force;
  std::map<std::string, trust::Targets> proposed;
  std::vector<CheckedRole> roles;

  const trust::Root& root() const { return roots.back(); }
  const trust::Targets* body_in_force(const std::string& role) const;  // null: the role is new
  bool complete() const;
};
// Errors: metadata_invalid, signature_invalid, …
Result<CheckedProposal> check_proposal(const Proposal& proposal);

// Returns the root's version: which roots came after it is known from the proposal alone, where it
// is not the newest. Errors: signature_invalid when the root is not one that the proposal builds
// on: it was made for another repository, or to deceive.
Result<std::uint64_t> check_descends_from(const Proposal& proposal, ByteView trusted_root);

// Adds the key's signature wherever the key may sign; names the roles. Errors: not_allowed (none).
Result<std::vector<std::string>> sign_proposal(Proposal& proposal, const CheckedProposal& checked,
                                               const trust::SigningKey& key);
// The roles that this key may sign.
std::vector<std::string> roles_of_key(const CheckedProposal& checked, const std::string& key_id);

// Drops signatures that count for nothing: wrong ones, and those of keys that may not sign. They
// would be published, and a wrong one would stand in the way of a right one of the same key.
void keep_good_signatures(Proposal& proposal, const CheckedProposal& checked);

// Whether both ask for the same to be signed, whoever has signed either.
bool is_same_proposal(const Proposal& a, const Proposal& b);
// Takes over the signatures of a copy that went to somebody else. Errors: conflict when it is not
// the same proposal.
Result<void> merge_signatures(Proposal& into, const Proposal& other);

}  // namespace shoal::publish
