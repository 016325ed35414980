// The commit: target files, product roles, the top level, the snapshot, and the timestamp last.
// Everything before the timestamp has a name of its own (a hash or a new version), so that nothing
// in force is ever overwritten.
#include "publish/repository.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "publish/cleanup.hpp"

namespace shoal::publish {
namespace {

Result<UniqueFd> lock_repository(const Layout& layout) {
  UniqueFd lock(::open(layout.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!lock) return fail(system_error(errno, "open", layout.lock().native()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(ErrorKind::conflict,
                  fmt::format("another publisher is working on {}", layout.root().native()),
                  "Wait until it has finished.");
    return fail(system_error(errno, "lock", layout.lock().native()));
  }
  return lock;
}

// A key that the metadata does not name would sign what no client accepts.
Result<const trust::SigningKey*> load_allowed(KeyStore& keys, KeyRole role,
                                              const trust::RoleKeys& allowed) {
  SHOAL_ASSIGN(const auto* key, keys.load(role));
  if (std::ranges::find(allowed.key_ids, key->id()) == allowed.key_ids.end())
    return fail(ErrorKind::not_allowed,
                fmt::format("the {} key in {} does not belong to this repository", name_of(role),
                            keys.folder().native()),
                "Give the folder with the repository's own keys with --keys.");
  return key;
}

}  // namespace

Result<Repository> Repository::open(const std::filesystem::path& root, Environment environment) {
  Layout layout(root);
  std::error_code ignored;
  if (!std::filesystem::exists(layout.timestamp(), ignored))
    return fail(
        ErrorKind::not_found,
        fmt::format("{} is not a repository: it has no metadata/timestamp.json", root.native()),
        "Make one with 'shoal-publish init'.");
  SHOAL_ASSIGN(auto lock, lock_repository(layout));
  SHOAL_ASSIGN(auto state, load_state(layout));
  SHOAL_TRY(remove_unfinished(layout, state));
  return Repository(std::move(layout), std::move(lock), std::move(state), std::move(environment));
}

Result<void> Repository::write(const std::filesystem::path& path, ByteView bytes) const {
  return environment_.write ? environment_.write(path, bytes) : write_file_atomic(path, bytes);
}

bool Repository::is_due(UtcSeconds expires, std::chrono::days lifetime) const {
  auto margin = std::chrono::seconds(lifetime) * environment_.lifetimes.renew_in_last_percent / 100;
  return expires - environment_.now < margin;
}

Result<void> Repository::write_role(const std::string& role, trust::Targets& body, KeyRole key_role,
                                    const trust::RoleKeys& allowed, KeyStore& keys,
                                    trust::Snapshot& snapshot) const {
  SHOAL_ASSIGN(const auto* key, load_allowed(keys, key_role, allowed));
  auto listed = snapshot.meta.find(role);
  body.version = listed == snapshot.meta.end() ? 1 : listed->second.version + 1;
  body.expires = environment_.now + environment_.lifetimes.targets;
  Bytes bytes = trust::sign_targets(body, {&key, 1});
  if (bytes.size() > trust::Limits{}.targets_bytes)
    return fail(ErrorKind::too_large,
                fmt::format("the metadata of '{}' would have {} bytes, more than clients read",
                            role, bytes.size()));
  snapshot.meta[role] = trust::describe_metadata(bytes, body.version);
  return write(layout_.metadata(body.version, role), bytes);
}

Result<void> Repository::commit(Edit edit, KeyStore& keys) {
  // The keys first: a wrong passphrase must not leave half a release behind.
  SHOAL_ASSIGN(const auto* snapshot_key,
               load_allowed(keys, KeyRole::snapshot, state_.root.snapshot));
  SHOAL_ASSIGN(const auto* timestamp_key,
               load_allowed(keys, KeyRole::timestamp, state_.root.timestamp));
  for (const auto& file : edit.files) {
    SHOAL_ASSIGN(auto path, RelativePath::parse(file.path));
    auto where = layout_.target(path, sha256(file.bytes));
    SHOAL_TRY(make_directories(where.parent_path()));
    SHOAL_TRY(write(where, file.bytes));
  }
  State next = state_;
  if (edit.targets) next.targets = *std::move(edit.targets);
  for (auto& [product, body] : edit.products) {
    auto delegation = std::ranges::find_if(
        next.targets.delegations, [&](const auto& entry) { return entry.role == product; });
    if (delegation == next.targets.delegations.end())
      return fail(ErrorKind::internal, fmt::format("no delegation to '{}'", product));
    SHOAL_TRY(write_role(product, body, KeyRole::products, delegation->keys, keys, next.snapshot));
    next.products[product] = std::move(body);
  }
  if (edit.targets)
    SHOAL_TRY(write_role("targets", next.targets, KeyRole::targets, next.root.targets, keys,
                         next.snapshot));
  ++next.snapshot.version;
  next.snapshot.expires = environment_.now + environment_.lifetimes.snapshot;
  Bytes snapshot = trust::sign_snapshot(next.snapshot, {&snapshot_key, 1});
  SHOAL_TRY(write(layout_.metadata(next.snapshot.version, "snapshot"), snapshot));

  ++next.timestamp.version;
  next.timestamp.expires = environment_.now + environment_.lifetimes.timestamp;
  next.timestamp.snapshot = trust::describe_metadata(snapshot, next.snapshot.version);
  SHOAL_TRY(write(layout_.timestamp(), trust::sign_timestamp(next.timestamp, {&timestamp_key, 1})));
  state_ = std::move(next);
  return {};
}

Result<content::ChannelList> Repository::channels_of(const std::string& product) const {
  if (!state_.products.contains(product)) return content::ChannelList{};
  return read_channels(layout_, state_, product);
}

Result<trust::Targets*> Repository::edit_product(Edit& edit, const std::string& product,
                                                 KeyStore& keys) {
  if (auto known = state_.products.find(product); known != state_.products.end())
    return &edit.products.emplace(product, known->second).first->second;
  SHOAL_ASSIGN(const auto* key, keys.load(KeyRole::products));
  trust::Delegation delegation;
  delegation.role = product;
  delegation.keys = {{key->id()}, 1};
  delegation.paths = {product + "/*", product + "/*/*"};
  delegation.terminating = true;  // nobody else speaks for the product's paths
  if (!edit.targets) edit.targets = state_.targets;
  edit.targets->keys[key->id()] = key->public_key();
  edit.targets->delegations.push_back(std::move(delegation));
  return &edit.products[product];
}

void Repository::put_target(Edit& edit, const std::string& product, TargetFile file) const {
  edit.products.at(product).targets[file.path] = trust::describe_target(file.bytes);
  edit.files.push_back(std::move(file));
}

Result<bool> Repository::set_channel(const std::string& product, const std::string& channel,
                                     const std::string& version, KeyStore& keys) {
  SHOAL_TRY(check_name("channel", channel));
  SHOAL_ASSIGN(auto list, read_channels(layout_, state_, product));
  if (std::ranges::find(list.versions, version) == list.versions.end())
    return fail(ErrorKind::not_found,
                fmt::format("product '{}' has no version '{}'", product, version),
                "'shoal-publish list' shows what is there.");
  auto& entry = list.channels[channel];
  if (entry == version) return false;
  entry = version;
  Edit edit;
  SHOAL_TRY(edit_product(edit, product, keys));
  put_target(edit, product,
             {content::channels_target(product), to_bytes(content::format_channels(list))});
  SHOAL_TRY(commit(std::move(edit), keys));
  SHOAL_TRY(remove_superseded(layout_, state_));
  return true;
}

Result<void> Repository::renew_root(KeyStore& keys) {
  SHOAL_ASSIGN(const auto* key, load_allowed(keys, KeyRole::root, state_.root.root));
  trust::Root next = state_.root;
  ++next.version;
  next.expires = environment_.now + environment_.lifetimes.root;
  Bytes bytes = trust::sign_root(next, {&key, 1});
  SHOAL_TRY(write(layout_.metadata(next.version, "root"), bytes));
  SHOAL_TRY(write(layout_.root_copy(), bytes));
  state_.root = std::move(next);
  return {};
}

Result<RefreshReport> Repository::refresh(KeyStore& keys) {
  RefreshReport report;
  auto due = [&](const std::string& role, UtcSeconds expires, std::chrono::days lifetime,
                 KeyRole key_role) {
    if (!is_due(expires, lifetime)) return false;
    if (keys.has(key_role)) {
      report.renewed.push_back(role);
      return true;
    }
    report.warnings.push_back(fmt::format("'{}' expires at {}, but its {} key is not in {}", role,
                                          format_utc(expires), name_of(key_role),
                                          keys.folder().native()));
    return false;
  };
  const Lifetimes& lifetimes = environment_.lifetimes;
  if (due("root", state_.root.expires, lifetimes.root, KeyRole::root)) SHOAL_TRY(renew_root(keys));
  Edit edit;
  if (due("targets", state_.targets.expires, lifetimes.targets, KeyRole::targets))
    edit.targets = state_.targets;
  for (const auto& [product, body] : state_.products)
    if (due(product, body.expires, lifetimes.targets, KeyRole::products))
      edit.products[product] = body;
  SHOAL_TRY(commit(std::move(edit), keys));
  report.renewed.push_back("snapshot");
  report.renewed.push_back("timestamp");
  SHOAL_TRY(remove_superseded(layout_, state_));
  return report;
}

namespace {

Result<trust::Root> make_root(KeyStore& keys, const Environment& environment) {
  trust::Root root;
  root.version = 1;
  root.expires = environment.now + environment.lifetimes.root;
  for (auto [role, allowed] : {std::pair{KeyRole::root, &root.root},
                               {KeyRole::targets, &root.targets},
                               {KeyRole::snapshot, &root.snapshot},
                               {KeyRole::timestamp, &root.timestamp}}) {
    SHOAL_ASSIGN(const auto* key, keys.load(role));
    root.keys[key->id()] = key->public_key();
    *allowed = {{key->id()}, 1};
  }
  return root;
}

bool is_within(const std::filesystem::path& inner, const std::filesystem::path& outer) {
  auto canonical_outer = std::filesystem::weakly_canonical(outer);
  auto canonical_inner = std::filesystem::weakly_canonical(inner);
  auto [end, _] = std::ranges::mismatch(canonical_outer, canonical_inner);
  return end == canonical_outer.end();
}

}  // namespace

Result<InitReport> init_repository(const std::filesystem::path& root_path, KeyStore& keys,
                                   bool plain_keys, const content::RepositoryInfo& info,
                                   const Environment& environment) {
  Layout layout(root_path);
  if (is_within(keys.folder(), root_path))
    return fail(ErrorKind::invalid_request,
                fmt::format("the keys in {} would be published along with the repository {}",
                            keys.folder().native(), root_path.native()),
                "Choose a folder outside the repository for the keys.");
  SHOAL_TRY(make_directories(root_path));
  SHOAL_ASSIGN(auto lock, lock_repository(layout));
  std::error_code ignored;
  if (std::filesystem::exists(layout.timestamp(), ignored))
    return fail(ErrorKind::conflict, fmt::format("{} is a repository already", root_path.native()),
                "Choose another folder.");
  for (const auto& folder : {layout.metadata(), layout.targets(), layout.bundles()})
    SHOAL_TRY(make_directories(folder));
  InitReport report;
  SHOAL_ASSIGN(report.keys_made, keys.create_missing(plain_keys));
  for (auto role : kKeyRoles) {
    SHOAL_ASSIGN(const auto* key, keys.load(role));
    report.key_ids[name_of(role)] = key->id();
  }
  State state;
  SHOAL_ASSIGN(state.root, make_root(keys, environment));
  SHOAL_ASSIGN(const auto* root_key, keys.load(KeyRole::root));
  Repository repository(layout, std::move(lock), std::move(state), environment);
  Bytes root = trust::sign_root(repository.state_.root, {&root_key, 1});
  SHOAL_TRY(repository.write(layout.metadata(1, "root"), root));
  SHOAL_TRY(repository.write(layout.root_copy(), root));
  // Without a timestamp it is no repository yet, and init may be run again.
  Repository::Edit edit;
  TargetFile description{content::kRepositoryTarget,
                         to_bytes(content::format_repository_info(info))};
  edit.targets.emplace().targets[description.path] = trust::describe_target(description.bytes);
  edit.files.push_back(std::move(description));
  SHOAL_TRY(repository.commit(std::move(edit), keys));
  return report;
}

}  // namespace shoal::publish
