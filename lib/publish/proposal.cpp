// The file's JSON, and the merging of copies. Metadata is embedded as it is: its canonical form,
// and so what its signatures cover, does not depend on how the file around it is written.
#include "publish/proposal.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/relative_path.hpp"
#include "trust/json.hpp"

namespace shoal::publish {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "shoal-proposal";
constexpr int kFormatVersion = 1;
constexpr trust::Limits kLimits{};

std::unexpected<Error> invalid(std::string_view why) {
  return fail(ErrorKind::metadata_invalid, fmt::format("proposal: {}", why),
              "Ask for the file again from whoever made it.");
}

Result<const json*> member(const json& object, const char* name, json::value_t type) {
  auto found = object.find(name);
  if (found == object.end() || found->type() != type)
    return invalid(fmt::format("\"{}\" is missing or of the wrong type", name));
  return &*found;
}

// Metadata in the form in which it is published. Canonical JSON escapes no control characters: what
// has some cannot be read again, by clients or from the proposal's file.
Result<Bytes> metadata_bytes(const json& document) {
  SHOAL_ASSIGN(auto text, trust::metadata_text(document));
  if (!trust::parse_json(as_bytes(text), kLimits.json_depth, "proposal"))
    return invalid("its metadata holds control characters, so that no client can read it");
  return to_bytes(text);
}

json embedded(ByteView metadata) { return json::parse(metadata, nullptr, false); }

// A top-level role that is proposed for signing, or a product.
Result<void> check_role_name(const std::string& role) {
  if (role == "root" || role == "targets") return {};
  if (role == "snapshot" || role == "timestamp" || !check_name("role", role))
    return invalid("it names a role that nobody signs by hand");
  return {};
}

Result<ProposedRole> parse_role(const json& object) {
  if (!object.is_object()) return invalid("a role is not an object");
  ProposedRole out;
  SHOAL_ASSIGN(const auto* name, member(object, "role", json::value_t::string));
  out.role = name->get<std::string>();
  SHOAL_TRY(check_role_name(out.role));
  SHOAL_ASSIGN(const auto* document, member(object, "metadata", json::value_t::object));
  SHOAL_ASSIGN(auto bytes, metadata_bytes(*document));
  auto take = [&](auto parsed) -> Result<void> {
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    out.signed_bytes = std::move(parsed->signed_bytes);
    out.signatures = std::move(parsed->signatures);
    return {};
  };
  if (bytes.size() > (out.role == "root" ? kLimits.root_bytes : kLimits.targets_bytes))
    return fail(ErrorKind::too_large,
                fmt::format("proposal: the {} metadata is larger than clients read", out.role));
  if (out.role == "root")
    SHOAL_TRY(take(trust::parse_root(bytes, kLimits)));
  else
    SHOAL_TRY(take(trust::parse_targets(bytes, out.role, kLimits)));
  return out;
}

Result<std::map<std::string, Bytes>> parse_files(const json& document, const char* name) {
  SHOAL_ASSIGN(const auto* files, member(document, name, json::value_t::object));
  if (files->size() > kMaxProposalFiles) return invalid("it holds too many files");
  std::map<std::string, Bytes> out;
  for (const auto& [path, text] : files->items()) {
    if (!text.is_string()) return invalid("a file is not a string");
    SHOAL_TRY(RelativePath::parse(path));
    out[path] = to_bytes(text.get_ref<const std::string&>());
  }
  return out;
}

Result<void> parse_roles(const json& list, Proposal& out) {
  if (list.empty() || list.size() > kMaxProposalRoles)
    return invalid(fmt::format("it proposes {} roles", list.size()));
  for (const auto& entry : list) {
    SHOAL_ASSIGN(auto role, parse_role(entry));
    if (out.find(role.role)) return invalid("it proposes a role twice");
    out.roles.push_back(std::move(role));
  }
  if (out.kind == ProposalKind::root && list.size() > 1 &&
      (list.size() > 2 || !out.find("targets")))
    return invalid("a root's proposal may hold targets besides, and nothing else");
  bool has_root = out.find("root") != nullptr;
  if (has_root != (out.kind == ProposalKind::root))
    return invalid(has_root ? "a product's proposal may not change the root"
                            : "it does not hold the root that it is about");
  return {};
}

}  // namespace

const char* name_of(ProposalKind kind) {
  switch (kind) {
    case ProposalKind::root:
      return "root";
    case ProposalKind::product:
      return "product";
  }
  return "";
}

const ProposedRole* Proposal::find(std::string_view role) const {
  auto found = std::ranges::find_if(roles, [&](const auto& entry) { return entry.role == role; });
  return found == roles.end() ? nullptr : &*found;
}

Result<void> check_readable(const ProposedRole& role) {
  auto judge = [&](const auto& parsed) -> Result<void> {
    if (parsed) return {};
    return fail(parsed.error().kind,
                fmt::format("nobody could read the new metadata of '{}': {}", role.role,
                            parsed.error().message),
                "Nothing was published. Replace a key that it names: a product's with 'delegate', "
                "another one with 'root propose'.");
  };
  return role.role == "root" ? judge(trust::parse_root(role.file(), kLimits))
                             : judge(trust::parse_targets(role.file(), role.role, kLimits));
}

Bytes format_proposal(const Proposal& proposal) {
  json roots = json::array();
  for (const auto& root : proposal.roots) roots.push_back(embedded(root));
  json in_force = json::object();
  for (const auto& [role, bytes] : proposal.in_force) in_force[role] = embedded(bytes);
  json roles = json::array();
  for (const auto& role : proposal.roles)
    roles.push_back({{"role", role.role}, {"metadata", embedded(role.file())}});
  auto texts = [](const std::map<std::string, Bytes>& files) {
    json out = json::object();
    for (const auto& [path, bytes] : files) out[path] = as_text(bytes);
    return out;
  };
  json document = {{"format", kFormat},
                   {"format_version", kFormatVersion},
                   {"kind", name_of(proposal.kind)},
                   {"roots", std::move(roots)},
                   {"in_force", std::move(in_force)},
                   {"proposed", std::move(roles)},
                   {"files", texts(proposal.files)},
                   {"files_in_force", texts(proposal.files_in_force)}};
  return to_bytes(document.dump(1) + "\n");
}

Result<Proposal> parse_proposal(ByteView file) {
  if (file.size() > kMaxProposalBytes)
    return fail(ErrorKind::too_large,
                fmt::format("proposal: {} bytes, more than {}", file.size(), kMaxProposalBytes));
  SHOAL_ASSIGN(auto document, trust::parse_json(file, kLimits.json_depth, "proposal"));
  if (!document.is_object() || document.value("format", json()) != kFormat)
    return invalid(fmt::format("its \"format\" is not \"{}\"", kFormat));
  if (document.value("format_version", json()) != kFormatVersion)
    return fail(ErrorKind::unsupported_version, "proposal: its format version is not known");
  Proposal out;
  auto kind = document.value("kind", json());
  if (kind != name_of(ProposalKind::root) && kind != name_of(ProposalKind::product))
    return invalid("its \"kind\" is not known");
  out.kind = kind == name_of(ProposalKind::root) ? ProposalKind::root : ProposalKind::product;
  SHOAL_ASSIGN(const auto* roots, member(document, "roots", json::value_t::array));
  if (roots->empty() || roots->size() > kMaxProposalRoots)
    return invalid(fmt::format("it holds {} roots", roots->size()));
  for (const auto& root : *roots) {
    SHOAL_ASSIGN(auto bytes, metadata_bytes(root));
    out.roots.push_back(std::move(bytes));
  }
  SHOAL_ASSIGN(const auto* in_force, member(document, "in_force", json::value_t::object));
  // The top level's besides: it says who signs the others.
  if (in_force->size() > kMaxProposalRoles + 1)
    return invalid("it holds too much that is in force");
  for (const auto& [role, metadata] : in_force->items()) {
    SHOAL_TRY(check_role_name(role));
    SHOAL_ASSIGN(out.in_force[role], metadata_bytes(metadata));
  }
  SHOAL_ASSIGN(out.files, parse_files(document, "files"));
  if (document.contains("files_in_force")) {  // earlier versions wrote none
    SHOAL_ASSIGN(out.files_in_force, parse_files(document, "files_in_force"));
  }
  SHOAL_ASSIGN(const auto* proposed, member(document, "proposed", json::value_t::array));
  SHOAL_TRY(parse_roles(*proposed, out));
  return out;
}

bool is_same_proposal(const Proposal& a, const Proposal& b) {
  return std::ranges::equal(a.roles, b.roles, [](const auto& x, const auto& y) {
    return x.role == y.role && x.signed_bytes == y.signed_bytes;
  });
}

Result<void> merge_signatures(Proposal& into, const Proposal& other) {
  if (!is_same_proposal(into, other))
    return fail(ErrorKind::conflict, "the files hold different proposals",
                "Give copies of one proposal, each signed by somebody else.");
  for (std::size_t i = 0; i < into.roles.size(); ++i) {
    auto& mine = into.roles[i].signatures;
    for (const auto& signature : other.roles[i].signatures) {
      bool known = std::ranges::any_of(
          mine, [&](const auto& entry) { return entry.key_id == signature.key_id; });
      if (!known) mine.push_back(signature);
    }
  }
  return {};
}

}  // namespace shoal::publish
