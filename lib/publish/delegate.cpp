// Who signs a product. The new delegation and, where its old signatures would no longer do, the
// product's metadata at its next version take effect together, with the next snapshot: there is no
// moment in which a client is given one without the other. Nothing else of a release changes.
#include <fmt/core.h>

#include <algorithm>

#include "publish/repository.hpp"
#include "publish/root_change.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

void drop_unused_keys(trust::Targets& targets) {
  std::erase_if(targets.keys, [&](const auto& entry) {
    return std::ranges::none_of(targets.delegations, [&](const auto& delegation) {
      return std::ranges::find(delegation.keys.key_ids, entry.first) !=
             delegation.keys.key_ids.end();
    });
  });
}

}  // namespace

Result<ChangeReport> Repository::delegate(const DelegateRequest& request, KeyStore& keys) {
  SHOAL_TRY(check_product_name(request.product));
  Edit edit;
  edit.targets = state_.targets;
  auto& delegations = edit.targets->delegations;
  auto delegation = std::ranges::find_if(
      delegations, [&](const auto& entry) { return entry.role == request.product; });
  bool known = delegation != delegations.end();
  if (!known) {
    delegations.push_back(product_delegation(request.product));
    delegation = std::prev(delegations.end());
  }
  trust::RoleKeys role{{}, request.threshold.value_or(delegation->keys.threshold)};
  for (const auto& key : request.keys)
    SHOAL_TRY(add_key(role, edit.targets->keys, key, request.product));
  if (role.threshold < 1 || role.threshold > role.key_ids.size())
    return fail(ErrorKind::invalid_request,
                fmt::format("'{}' would have {} keys and a threshold of {}", request.product,
                            role.key_ids.size(), role.threshold),
                "Name all of the product's keys with --key, and set --threshold.");
  if (known && role.key_ids == delegation->keys.key_ids &&
      role.threshold == delegation->keys.threshold)
    return ChangeReport{false, {}, {}};
  delegation->keys = role;
  drop_unused_keys(*edit.targets);
  if (!known) {
    edit.products[request.product];
    put_target(edit, request.product,
               {content::channels_target(request.product), to_bytes(content::format_channels({}))});
  } else {
    const auto& body = state_.products.at(request.product);
    SHOAL_ASSIGN(auto bytes,
                 read_file(layout_.metadata(body.version, request.product), kLimits.targets_bytes));
    SHOAL_ASSIGN(auto document, trust::parse_targets(bytes, request.product, kLimits));
    if (!trust::check_threshold(role, edit.targets->keys, document.signed_bytes,
                                document.signatures, request.product))
      edit.products[request.product] = body;
  }
  ChangeReport report;
  SHOAL_ASSIGN(report.proposal, commit(std::move(edit), keys, request.may_propose));
  clean_up(false, report.warnings);
  return report;
}

}  // namespace shoal::publish
