// A client only reads the metadata in force; but a damaged older file would fail a client that is
// in the middle of a refresh, or one that follows the chain of roots. Besides the signatures, the
// bytes must be exactly those that a publisher writes: canonical JSON, hexadecimal in lower case.
// A file that is no longer in force may be signed by keys that a role had earlier, of which nothing
// may be left.
#include "publish/check_metadata.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "publish/cleanup.hpp"
#include "trust/json.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

struct Signers {
  trust::RoleKeys role;
  trust::KeyMap keys;
};

void add_signers(const trust::Root& root, const std::string& role, std::vector<Signers>& out) {
  if (role == "root") out.push_back({root.root, root.keys});
  if (role == "timestamp") out.push_back({root.timestamp, root.keys});
  if (role == "snapshot") out.push_back({root.snapshot, root.keys});
  if (role == "targets") out.push_back({root.targets, root.keys});
}

void add_signers(const trust::Targets& targets, const std::string& role,
                 std::vector<Signers>& out) {
  for (const auto& delegation : targets.delegations)
    if (delegation.role == role) out.push_back({delegation.keys, targets.keys});
}

// Who may sign a role now, and who could before. None when nobody ever could.
struct AllSigners {
  std::vector<Signers> parties;
  bool of_all_times = true;  // false: of a product, of whose past not all is kept
};

AllSigners signers_of(const Layout& layout, const State& state, const std::string& role) {
  AllSigners all;
  auto& out = all.parties;
  add_signers(state.root, role, out);
  add_signers(state.targets, role, out);
  for (auto version = state.root.version; version-- > 1;)
    if (auto bytes = read_file(layout.metadata(version, "root"), kLimits.root_bytes))
      if (auto older = trust::parse_root(*bytes, kLimits)) add_signers(older->body, role, out);
  auto oldest = state.targets.version > kKeptVersions ? state.targets.version - kKeptVersions : 0;
  all.of_all_times = oldest == 0;
  for (auto version = state.targets.version; version-- > oldest + 1;)
    if (auto bytes = read_file(layout.metadata(version, "targets"), kLimits.targets_bytes))
      if (auto older = trust::parse_targets(*bytes, "targets", kLimits))
        add_signers(older->body, role, out);
  return all;
}

Result<void> check_form(ByteView bytes) {
  SHOAL_ASSIGN(auto document, trust::parse_json(bytes, kLimits.json_depth, "metadata"));
  SHOAL_ASSIGN(auto canonical, trust::metadata_text(document));
  if (canonical != as_text(bytes))
    return fail(ErrorKind::metadata_invalid, "it is not in canonical form");
  return {};
}

// Whether it is a product's, and a later version is in force. The top level that named its keys may
// have gone before it: of each role the newest versions are kept.
bool is_past_version(const MetadataName& name, const State* state) {
  if (!state || name.role == "targets") return false;
  auto listed = state->snapshot.meta.find(name.role);
  return listed != state->snapshot.meta.end() && name.version < listed->second.version;
}

// Whether it may have been signed by enough keys of a time that is forgotten: those of its
// signatures whose keys are known are right. None at all are not enough at any time.
template <typename Body>
bool may_be_of_earlier_keys(const trust::Document<Body>& document, const AllSigners& signers) {
  auto is_wrong = [&](const trust::Signature& signature) {
    return std::ranges::any_of(signers.parties, [&](const auto& party) {
      auto key = party.keys.find(signature.key_id);
      return key != party.keys.end() &&
             trust::check_signature(key->second, as_bytes(document.signed_bytes), signature.value)
                     .check != trust::SignatureCheck::good;
    });
  };
  return !signers.of_all_times && !document.signatures.empty() &&
         std::ranges::none_of(document.signatures, is_wrong);
}

// What is to be noted of a file that is not wrong; mostly nothing: "".
using Note = std::string;

template <typename Body>
Result<Note> check_signed(const Result<trust::Document<Body>>& parsed, const MetadataName& name,
                          const AllSigners& signers, std::string_view text, bool is_past) {
  if (!parsed) return std::unexpected(parsed.error());
  for (const auto& signature : parsed->signatures)
    if (text.find('"' + to_hex(signature.value) + '"') == std::string_view::npos)
      return fail(ErrorKind::metadata_invalid, "a signature is not in lower-case hexadecimal");
  if (name.version != 0 && parsed->body.version != name.version)
    return fail(ErrorKind::metadata_invalid,
                fmt::format("it says that it is version {}", parsed->body.version));
  Result<void> verdict;
  for (const auto& party : signers.parties) {
    auto checked = trust::check_threshold(party.role, party.keys, parsed->signed_bytes,
                                          parsed->signatures, name.role);
    if (checked) return Note();
    if (verdict) verdict = std::move(checked);  // the first: what it says about the present keys
  }
  if (verdict) return Note();
  if (is_past && may_be_of_earlier_keys(*parsed, signers))
    return Note("it is no longer in force, and signed by earlier keys that nothing here names");
  return std::unexpected(std::move(verdict.error()));
}

Result<Note> check_file_of(const MetadataName& name, ByteView bytes, const Layout& layout,
                           const State* state) {
  SHOAL_TRY(check_form(bytes));
  auto signers = state ? signers_of(layout, *state, name.role) : AllSigners();
  auto text = as_text(bytes);
  const bool is_past = is_past_version(name, state);
  if (name.role == "root")
    return check_signed(trust::parse_root(bytes, kLimits), name, signers, text, is_past);
  if (name.role == "timestamp")
    return check_signed(trust::parse_timestamp(bytes, kLimits), name, signers, text, is_past);
  if (name.role == "snapshot")
    return check_signed(trust::parse_snapshot(bytes, kLimits), name, signers, text, is_past);
  return check_signed(trust::parse_targets(bytes, name.role, kLimits), name, signers, text,
                      is_past);
}

}  // namespace

void check_metadata_files(const Layout& layout, const State* state, CheckReport& report) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(layout.metadata(), error), end;
       !error && entry != end; entry.increment(error)) {
    std::string file = entry->path().filename();
    std::string path = "metadata/" + file;
    auto name = parse_metadata_name(file);
    if (file == "timestamp.json") name = MetadataName{0, "timestamp"};
    if (!name) {
      report.notes.push_back({path, "it is not part of the repository"});
      continue;
    }
    ++report.metadata_files;
    auto bytes = read_file(entry->path(), kLimits.targets_bytes);
    auto checked = bytes ? check_file_of(*name, *bytes, layout, state)
                         : Result<Note>(std::unexpected(bytes.error()));
    if (!checked)
      report.findings.push_back({path, checked.error().message});
    else if (!checked->empty())
      report.notes.push_back({path, *checked});
  }
  if (error) report.findings.push_back({"metadata", error.message()});
}

}  // namespace shoal::publish
