// The four kinds of TUF metadata, before and after their signatures are looked at.
#include "fuzzer.hpp"
#include "trust/delegations.hpp"
#include "trust/verifier.hpp"

SHOAL_FUZZER(tuf_metadata) {
  using namespace shoal;
  const trust::Limits limits;
  if (auto root = trust::parse_root(bytes, limits)) {
    fuzz::require(root->body.version >= 1, "versions begin at one");
    fuzz::require(root->body.root.threshold >= 1, "a threshold is at least one");
    static_cast<void>(trust::TrustedMetadata::begin(bytes, UtcSeconds{}, limits));
  }
  static_cast<void>(trust::parse_timestamp(bytes, limits));
  static_cast<void>(trust::parse_snapshot(bytes, limits));
  auto targets = trust::parse_targets(bytes, "targets", limits);
  if (!targets) return;
  trust::DelegationSearch search("demo/1.0/release.json");
  while (auto step = search.next()) {
    fuzz::require(search.visited() <= targets->body.delegations.size() + 1, "each role once");
    search.descend(*step, targets->body);
  }
  for (const auto& delegation : targets->body.delegations)
    static_cast<void>(trust::check_threshold(delegation.keys, targets->body.keys,
                                             targets->signed_bytes, targets->signatures, "role"));
}
