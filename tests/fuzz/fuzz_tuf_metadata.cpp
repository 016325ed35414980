// The four kinds of TUF metadata, before and after their signatures are looked at: once as the
// client reads its own repositories, and once with small limits and without the check of key ids,
// which no mutation of a key would get past.
#include <algorithm>

#include "fuzzer.hpp"
#include "trust/delegations.hpp"
#include "trust/signing.hpp"
#include "trust/verifier.hpp"

namespace {

using namespace shoal;

trust::Limits small_limits() {
  trust::Limits limits;
  limits.signatures_per_role = limits.keys_per_role = 3;
  limits.delegations_per_role = 3;
  limits.targets_per_role = 8;
  limits.pattern_bytes_per_role = 100;
  limits.json_depth = 8;
  limits.recompute_key_ids = false;
  return limits;
}

// What a publisher writes of a file that it read, for the next version, says the same when it is
// read again. (But for control characters, which canonical JSON does not escape.)
template <typename Body, typename Parse>
void try_to_write(const trust::Document<Body>& document, const Parse& parse) {
  const auto written = trust::signed_bytes_of(document.body);
  if (std::ranges::any_of(written, [](char c) { return c >= 0 && c < 0x20; })) return;
  const auto again = parse(trust::join_signatures(written, document.signatures));
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(trust::signed_bytes_of(again->body) == written, "and says the same");
  fuzz::require(again->signed_bytes == written, "and is what signatures cover");
}

void require_sound(const trust::RoleKeys& role, const trust::Limits& limits) {
  fuzz::require(role.threshold >= 1, "a threshold is at least one");
  fuzz::require(role.key_ids.size() <= limits.keys_per_role, "keys are bounded");
}

void try_targets(const trust::Document<trust::Targets>& document, const trust::Limits& limits) {
  const auto& targets = document.body;
  fuzz::require(targets.targets.size() <= limits.targets_per_role &&
                    targets.delegations.size() <= limits.delegations_per_role,
                "what a role names is bounded");
  trust::DelegationSearch search("demo/1.0/release.json");
  while (auto step = search.next()) {
    fuzz::require(search.visited() <= targets.delegations.size() + 1, "each role once");
    if (!search.descend(*step, targets)) return;
  }
  for (const auto& delegation : targets.delegations) {
    require_sound(delegation.keys, limits);
    fuzz::require(delegation.role != "targets" && delegation.role != "root",
                  "a delegated role has a name of its own");
    static_cast<void>(trust::check_threshold(delegation.keys, targets.keys, document.signed_bytes,
                                             document.signatures, "role"));
  }
}

void try_all(ByteView bytes, const trust::Limits& limits) {
  const auto root = [&](ByteView from) { return trust::parse_root(from, limits); };
  const auto timestamp = [&](ByteView from) { return trust::parse_timestamp(from, limits); };
  const auto snapshot = [&](ByteView from) { return trust::parse_snapshot(from, limits); };
  const auto targets = [&](ByteView from) { return trust::parse_targets(from, "targets", limits); };
  if (const auto document = root(bytes)) {
    const auto& body = document->body;
    fuzz::require(body.version >= 1, "versions begin at one");
    for (const auto* role : {&body.root, &body.timestamp, &body.snapshot, &body.targets})
      require_sound(*role, limits);
    static_cast<void>(trust::TrustedMetadata::begin(bytes, UtcSeconds{}, limits));
    if (limits.recompute_key_ids) return;  // of members that are not known, the id is lost
    try_to_write(*document, root);
  }
  if (const auto document = timestamp(bytes)) try_to_write(*document, timestamp);
  if (const auto document = snapshot(bytes)) try_to_write(*document, snapshot);
  if (const auto document = targets(bytes)) {
    try_targets(*document, limits);
    if (!limits.recompute_key_ids) try_to_write(*document, targets);
  }
}

}  // namespace

SHOAL_FUZZER(tuf_metadata) {
  try_all(bytes, trust::Limits{});
  try_all(bytes, small_limits());
}
