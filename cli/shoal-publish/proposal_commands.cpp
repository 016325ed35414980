// Proposals: made, reviewed, signed and applied. Nothing is signed before it was said in words,
// with fingerprints, and somebody said yes.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "ceremony.hpp"
#include "proposal_file.hpp"
#include "publish/review.hpp"
#include "publish/root_proposal.hpp"
#include "report.hpp"
#include "terminal.hpp"
#include "trust/fingerprint.hpp"

namespace shoal::cli {
namespace {

using nlohmann::json;
using publish::Proposal;
using publish::ProposalKind;

// "ROLE=VALUE"; the role is the default where there is none.
std::pair<std::string, std::string> split(const std::string& text, const std::string& role) {
  auto sign = text.find('=');
  if (sign == std::string::npos || text.find('/') < sign) return {role, text};
  return {text.substr(0, sign), text.substr(sign + 1)};
}

Result<publish::RootChange> parse_change(const ProposeOptions& options, UtcSeconds now) {
  publish::RootChange change;
  for (const auto& text : options.add_keys) {
    auto [role, file] = split(text, "root");
    SHOAL_ASSIGN(auto key, publish::read_public_key(file));
    change.add.push_back({role, std::move(key)});
  }
  for (const auto& text : options.remove_keys) {
    auto [role, id] = split(text, "");
    std::error_code ignored;
    if (std::filesystem::is_regular_file(id, ignored)) {
      SHOAL_ASSIGN(auto key, publish::read_public_key(id));
      id = trust::key_id(key);
    }
    change.remove.push_back({role, id});
  }
  for (const auto& text : options.thresholds) {
    auto [role, number] = split(text, "root");
    std::uint32_t threshold = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), threshold);
    if (error != std::errc() || end != number.data() + number.size() || threshold == 0)
      return fail(ErrorKind::invalid_request, fmt::format("'{}' is no threshold", number),
                  "Give how many keys must sign: --threshold 2, or --threshold targets=2.");
    change.thresholds[role] = threshold;
  }
  change.rotate.insert(options.rotate.begin(), options.rotate.end());
  if (!options.expires.empty()) {
    SHOAL_ASSIGN(change.expires, publish::parse_expiry(options.expires, now));
  }
  return change;
}

json to_json(const std::vector<publish::ReviewedKey>& keys, bool with_signed) {
  json out = json::array();
  for (const auto& key : keys) {
    out.push_back({{"key_id", key.id}, {"words", key.words}});
    if (with_signed) out.back()["signed"] = key.signed_it;
  }
  return out;
}

json to_json(const publish::Review& review) {
  json roles = json::array();
  for (const auto& role : review.roles) {
    json sides = json::array();
    for (const auto& side : role.sides)
      sides.push_back({{"who", side.who},
                       {"threshold", side.threshold},
                       {"signed", side.have},
                       {"required", side.must},
                       {"keys", to_json(side.keys, true)}});
    roles.push_back({{"role", role.role},
                     {"version", role.version},
                     {"expires", format_utc(role.expires)},
                     {"signatures", std::move(sides)}});
  }
  json after = json::array();
  for (const auto& role : review.after)
    after.push_back(
        {{"role", role.role}, {"threshold", role.threshold}, {"keys", to_json(role.keys, false)}});
  return {{"kind", name_of(review.kind)}, {"changes", review.changes},   {"keys_after", after},
          {"clients", review.clients},    {"warnings", review.warnings}, {"roles", roles},
          {"complete", review.complete}};
}

void print_review(const publish::Review& review) {
  print_changes(review.changes);
  if (!review.after.empty()) fmt::print("Who signs what, from then on:\n");
  for (const auto& role : review.after) {
    fmt::print("  {}: {} of {}\n", role.role, role.threshold, role.keys.size());
    for (const auto& key : role.keys) fmt::print("    {}  {}\n", key.id.substr(0, 8), key.words);
  }
  for (const auto& line : review.clients) fmt::print("Clients: {}.\n", line);
  fmt::print("Signatures:\n");
  for (const auto& role : review.roles)
    for (const auto& side : role.sides) {
      fmt::print("  {} {} by {}: {} of {}{}\n", role.role, role.version, side.who, side.have,
                 side.threshold, side.must ? "" : ", if at hand");
      for (const auto& key : side.keys)
        fmt::print("    [{}] {}  {}\n", key.signed_it ? 'x' : ' ', key.id.substr(0, 8), key.words);
    }
  for (const auto& line : review.warnings) fmt::print("Think twice: {}.\n", line);
  fmt::print("{}\n", review.complete ? "All signatures are there: it can be applied."
                                     : "Signatures are missing.");
}

struct Loaded {
  Proposal proposal;
  publish::CheckedProposal checked;
  publish::Review review;
  std::optional<std::uint64_t> trusted_root;  // the version of --trusted-root
};

// Which roots there are between the one that is trusted and the newest, the file alone says.
void print_base(const Loaded& loaded) {
  auto newest = loaded.checked.root().version;
  if (loaded.trusted_root && *loaded.trusted_root < newest)
    fmt::print(
        "It builds on root {}; the root that you trust is {}: what came in between, and that "
        "nothing\ncame after, only the proposal says. Get the newest root.json to be sure.\n",
        newest, *loaded.trusted_root);
}

json with_base(json document, const Loaded& loaded) {
  document["builds_on"] = loaded.checked.root().version;
  document["trusted_root"] = loaded.trusted_root ? json(*loaded.trusted_root) : json();
  return document;
}

Result<Loaded> load(ProposalKind kind, const ProposalOptions& options) {
  Loaded out;
  SHOAL_ASSIGN(out.proposal, read_proposal(options.files.front(), kind));
  if (!options.trusted_root.empty()) {
    SHOAL_ASSIGN(auto root, read_file(options.trusted_root, trust::Limits{}.root_bytes));
    SHOAL_ASSIGN(out.trusted_root, publish::check_descends_from(out.proposal, root));
  }
  SHOAL_ASSIGN(out.checked, publish::check_proposal(out.proposal));
  out.review = publish::review_proposal(out.proposal, out.checked, SystemClock().now());
  return out;
}

}  // namespace

Result<int> root_propose(const CommonOptions& common, const ProposeOptions& options) {
  SHOAL_TRY(check_proposal_name(options.output));
  auto now = SystemClock().now();
  SHOAL_ASSIGN(auto change, parse_change(options, now));
  publish::Layout layout(common.repository);
  SHOAL_ASSIGN(auto state, publish::load_state(layout));
  publish::Lifetimes lifetimes;
  SHOAL_ASSIGN(auto proposal, publish::propose_root(layout, state, change, now,
                                                    {lifetimes.root, lifetimes.targets}));
  SHOAL_ASSIGN(auto checked, publish::check_proposal(proposal));
  SHOAL_TRY(write_file_atomic(options.output, publish::format_proposal(proposal)));
  auto review = publish::review_proposal(proposal, checked, now);
  if (common.json) {
    auto document = to_json(review);
    document["output"] = options.output.string();
    print_json(document);
    return kOk;
  }
  print_review(review);
  fmt::print("Wrote {}.\n", options.output.string());
  return kOk;
}

Result<int> proposal_review(const CommonOptions& common, ProposalKind kind,
                            const ProposalOptions& options) {
  SHOAL_ASSIGN(auto loaded, load(kind, options));
  if (common.json) {
    print_json(with_base(to_json(loaded.review), loaded));
    return kOk;
  }
  print_review(loaded.review);
  print_base(loaded);
  return kOk;
}

Result<int> proposal_sign(const CommonOptions& common, ProposalKind kind,
                          const ProposalOptions& options) {
  SHOAL_ASSIGN(auto loaded, load(kind, options));
  SHOAL_ASSIGN(auto public_key, publish::read_public_key(options.key));
  auto id = trust::key_id(public_key);
  auto roles = publish::roles_of_key(loaded.checked, id);
  if (!common.json) {
    print_review(loaded.review);
    if (options.trusted_root.empty())
      fmt::print(
          "Not checked: that the proposal builds on a root that you know. Keep a root.json, and "
          "give it\nwith --trusted-root.\n");
    print_base(loaded);
    print_signer(id, trust::fingerprint_words(public_key), roles);
  }
  if (common.json && !options.yes)
    return fail(ErrorKind::invalid_request, "with --json nothing is shown that could be judged",
                "Look at it with 'review' first, and give --yes.");
  publish::KeyStore store(options.key, ask_passphrase(false));
  SHOAL_ASSIGN(auto keys, store.signers({{id}, 1}));
  if (keys.empty())
    return fail(ErrorKind::not_allowed, fmt::format("{} is not a secret key", options.key.string()),
                "Give the secret key's file, not its .pub.");
  Proposal& proposal = loaded.proposal;
  if (!roles.empty() && !options.yes) SHOAL_TRY(confirm("Sign? [y/N] "));
  SHOAL_ASSIGN(roles, publish::sign_proposal(proposal, loaded.checked, *keys.front()));
  SHOAL_TRY(write_file_atomic(options.files.front(), publish::format_proposal(proposal)));
  SHOAL_ASSIGN(auto after, publish::check_proposal(proposal));
  if (common.json)
    print_json(
        with_base({{"signed", roles}, {"key_id", id}, {"complete", after.complete()}}, loaded));
  else
    fmt::print("Signed. {}\n",
               after.complete()
                   ? fmt::format("It can be applied: shoal-publish {} apply", name_of(kind))
                   : "More signatures are needed.");
  return kOk;
}

Result<int> proposal_apply(const CommonOptions& common, ProposalKind kind,
                           const ProposalOptions& options) {
  auto read_good = [&](const std::filesystem::path& file) -> Result<Proposal> {
    SHOAL_ASSIGN(auto read, read_proposal(file, kind));
    SHOAL_ASSIGN(auto checked, publish::check_proposal(read));
    publish::keep_good_signatures(read, checked);
    return read;
  };
  SHOAL_ASSIGN(auto proposal, read_good(options.files.front()));
  for (std::size_t i = 1; i < options.files.size(); ++i) {
    SHOAL_ASSIGN(auto copy, read_good(options.files[i]));
    SHOAL_TRY(publish::merge_signatures(proposal, copy));
  }
  Told told;
  SHOAL_ASSIGN(auto repository, open_repository(common, told));
  auto keys = keys_of(common);
  SHOAL_ASSIGN(auto report, repository.apply(proposal, keys));
  std::vector<std::string> published;
  published.reserve(proposal.roles.size());
  for (const auto& role : proposal.roles) published.push_back(role.role);
  if (common.json) {
    print_json({{"published", published},
                {"signed_anew", report.signed_anew},
                {"seamless", report.seamless},
                {"warnings", report.warnings},
                {"root_version", repository.state().root.version}});
    return kOk;
  }
  print_warnings(report.warnings);
  fmt::print("Published: {}.", fmt::join(published, ", "));
  if (!report.signed_anew.empty())
    fmt::print(" Signed anew: {}.", fmt::join(report.signed_anew, ", "));
  fmt::print("\n");
  if (kind != ProposalKind::root) return kOk;
  fmt::print("Root {} is in force. Clients take it up with their next refresh; new ones get {}.\n",
             repository.state().root.version, (common.repository / "root.json").string());
  if (std::ranges::find(report.signed_anew, "timestamp") == report.signed_anew.end())
    fmt::print(
        "The timestamp's keys are not here: run 'shoal-publish refresh' with them, so that clients "
        "that\nask for the timestamp first hear of it, too.\n");
  if (!report.seamless)
    fmt::print(
        "An old key could not sign along: a client in the middle of a refresh may be refused "
        "once.\n");
  return kOk;
}

Result<int> delegate(const CommonOptions& common, const DelegateOptions& options) {
  publish::DelegateRequest request{options.product, {}, options.threshold, !common.propose.empty()};
  for (const auto& file : options.keys) {
    SHOAL_ASSIGN(auto key, publish::read_public_key(file));
    request.keys.push_back(std::move(key));
  }
  SHOAL_TRY(check_proposal_name(common.propose));
  Told told;
  SHOAL_ASSIGN(auto repository, open_repository(common, told));
  auto keys = keys_of(common);
  SHOAL_ASSIGN(auto report, repository.delegate(request, keys));
  if (report.proposal) SHOAL_TRY(leave_proposal(common, *report.proposal));
  if (common.json) {
    print_json({{"product", options.product},
                {"changed", report.changed},
                {"published", report.changed && !report.proposal},
                {"warnings", report.warnings},
                {"signed", to_json(told)},
                {"proposal", report.proposal ? json(common.propose.string()) : json()}});
    return kOk;
  }
  print_warnings(report.warnings);
  if (!report.changed) fmt::print("{} has these keys already.\n", options.product);
  if (report.changed && !report.proposal)
    fmt::print("The keys of {} are in force.\n", options.product);
  return kOk;
}

}  // namespace shoal::cli
