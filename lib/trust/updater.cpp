// Fetch, let the pure verifier judge, keep. Each file is written, atomically, right after it was
// accepted, so that a client killed anywhere goes on from what it had; what is refused never
// reaches the disk.
#include "trust/updater.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/relative_path.hpp"
#include "trust/delegations.hpp"
#include "trust/verifier.hpp"

namespace shoal::trust {
namespace {

// RFC 3986's unreserved characters and '/' stay; each other byte is percent-encoded.
std::string encode_path(std::string_view path) {
  std::string out;
  while (true) {
    auto slash = path.find('/');
    out += encode_role_name(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

Result<void> remove_file(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return fail(system_error(error.value(), "remove", path.native()));
  return {};
}

}  // namespace

struct Updater::Impl {
  std::filesystem::path directory;
  std::string metadata_prefix;
  std::string targets_prefix;
  Fetcher& fetcher;
  UtcSeconds now;
  Limits limits;
  std::optional<TrustedMetadata> trusted;
  bool refreshed = false;

  std::filesystem::path file_of(std::string_view role) const {
    return directory / (encode_role_name(role) + ".json");
  }
  Result<Bytes> read_kept(std::string_view role, std::uint64_t max_bytes) const {
    return read_file(file_of(role), max_bytes);
  }
  Result<void> keep(std::string_view role, ByteView bytes) const {
    return write_file_atomic(file_of(role), bytes);
  }

  // A file that must be there: "not found" here is the repository's fault, or a mirror's that lags.
  Result<Bytes> fetch(const std::string& path, std::uint64_t max_bytes) const {
    auto bytes = fetcher.fetch(path, max_bytes);
    if (!bytes && bytes.error().kind == ErrorKind::not_found)
      return fail(ErrorKind::source_unavailable,
                  fmt::format("fetch {}: {}", path, bytes.error().message),
                  "Try again later; if it stays so, tell the publisher.");
    if (bytes && bytes->size() > max_bytes)
      return fail(ErrorKind::too_large,
                  fmt::format("fetch {}: more than {} bytes", path, max_bytes));
    return bytes;
  }
  // The signed length bounds the read, and our own limit bounds what may be signed.
  Result<std::uint64_t> bound(const FileMeta& meta, std::uint64_t limit,
                              const std::string& role) const {
    if (meta.length && *meta.length > limit)
      return fail(ErrorKind::too_large, fmt::format("{} metadata would have {} bytes, more than {}",
                                                    role, *meta.length, limit));
    return meta.length.value_or(limit);
  }
  std::string metadata_path(const std::string& role, std::uint64_t version) const {
    std::string name = encode_role_name(role) + ".json";
    if (!trusted->root().consistent_snapshot) return metadata_prefix + name;
    return fmt::format("{}{}.{}", metadata_prefix, version, name);
  }

  Result<void> load_root();
  Result<void> update_roots();
  Result<void> update_timestamp();
  Result<void> update_snapshot();
  Result<const Targets*> load_targets(const DelegationSearch::Step& step);
  Result<void> refresh();
};

Result<void> Updater::Impl::load_root() {
  // 5.2: the trusted root, from the last cycle or shipped. It may have expired.
  SHOAL_ASSIGN(auto bytes, read_kept("root", limits.root_bytes));
  SHOAL_ASSIGN(trusted, TrustedMetadata::begin(bytes, now, limits));
  return {};
}

Result<void> Updater::Impl::update_roots() {
  for (std::uint32_t count = 0;; ++count) {
    // 5.3.2, 5.3.3: the next version, within limits; when it is not there, this is the newest.
    auto path = fmt::format("{}{}.root.json", metadata_prefix, trusted->root().version + 1);
    auto bytes = fetcher.fetch(path, limits.root_bytes);
    if (!bytes && bytes.error().kind == ErrorKind::not_found) break;
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    if (count == limits.roots_per_update)
      return fail(ErrorKind::too_large,
                  fmt::format("more than {} new roots at once; the next refresh goes on from here",
                              limits.roots_per_update));
    SHOAL_ASSIGN(bool rotated, trusted->update_root(*bytes));
    // 5.3.11: rotated keys drop what they signed, to recover from a fast-forward attack. Before the
    // root is kept: a client killed in between sees this rotation again.
    if (rotated) {
      SHOAL_TRY(remove_file(file_of("timestamp")));
      SHOAL_TRY(remove_file(file_of("snapshot")));
    }
    // 5.3.8: kept at once, root by root.
    SHOAL_TRY(keep("root", *bytes));
  }
  // 5.3.10: freeze attack.
  return trusted->finish_root();
}

Result<void> Updater::Impl::update_timestamp() {
  // What cannot be read or verified any more (rotated keys) does not bind the new one.
  if (auto kept = read_kept("timestamp", limits.timestamp_bytes))
    static_cast<void>(trusted->remember_timestamp(*kept));
  // 5.4.1
  SHOAL_ASSIGN(auto bytes, fetch(metadata_prefix + "timestamp.json", limits.timestamp_bytes));
  SHOAL_ASSIGN(auto freshness, trusted->update_timestamp(bytes));
  // 5.4.5
  if (freshness == Freshness::replaced) SHOAL_TRY(keep("timestamp", bytes));
  return {};
}

Result<void> Updater::Impl::update_snapshot() {
  if (auto kept = read_kept("snapshot", limits.snapshot_bytes))
    if (trusted->remember_snapshot(*kept) && trusted->update_snapshot(*kept)) return {};
  // 5.5.1
  const FileMeta& meta = trusted->timestamp()->snapshot;
  SHOAL_ASSIGN(auto max_bytes, bound(meta, limits.snapshot_bytes, "snapshot"));
  SHOAL_ASSIGN(auto bytes, fetch(metadata_path("snapshot", meta.version), max_bytes));
  SHOAL_TRY(trusted->update_snapshot(bytes));
  // 5.5.7
  return keep("snapshot", bytes);
}

Result<const Targets*> Updater::Impl::load_targets(const DelegationSearch::Step& step) {
  if (const auto* loaded = trusted->targets(step.chain())) return loaded;
  auto kept = read_kept(step.role, limits.targets_bytes);
  if (!kept || !trusted->update_targets(*kept, step)) {
    // 5.6.1
    const auto& listed = trusted->snapshot()->meta;
    auto meta = listed.find(step.role);
    if (meta == listed.end())
      return fail(ErrorKind::metadata_invalid,
                  fmt::format("the snapshot does not list the role '{}'", step.role));
    SHOAL_ASSIGN(auto max_bytes, bound(meta->second, limits.targets_bytes, step.role));
    SHOAL_ASSIGN(auto bytes, fetch(metadata_path(step.role, meta->second.version), max_bytes));
    SHOAL_TRY(trusted->update_targets(bytes, step));
    // 5.6.6
    SHOAL_TRY(keep(step.role, bytes));
  }
  return trusted->targets(step.chain());
}

Result<void> Updater::Impl::refresh() {
  refreshed = false;
  SHOAL_TRY(load_root());
  SHOAL_TRY(update_roots());
  SHOAL_TRY(update_timestamp());
  SHOAL_TRY(update_snapshot());
  SHOAL_TRY(load_targets({"targets", ""}));
  refreshed = true;
  return {};
}

Updater::Updater(std::filesystem::path metadata_dir, std::string metadata_prefix,
                 std::string targets_prefix, Fetcher& fetcher, UtcSeconds now, Limits limits)
    : impl_(new Impl{std::move(metadata_dir), std::move(metadata_prefix), std::move(targets_prefix),
                     fetcher, now, limits, std::nullopt}) {}

Updater::~Updater() = default;

Result<void> Updater::refresh() { return impl_->refresh(); }

std::vector<std::string> Updater::delegated_roles() const {
  std::vector<std::string> roles;
  const Targets* top = impl_->trusted ? impl_->trusted->targets("targets") : nullptr;
  if (top == nullptr) return roles;
  for (const auto& delegation : top->delegations) roles.push_back(delegation.role);
  return roles;
}

Result<TargetInfo> Updater::find_target(const std::string& path) {
  if (!impl_->refreshed) SHOAL_TRY(impl_->refresh());
  SHOAL_TRY(RelativePath::parse(path));
  DelegationSearch search(path);
  while (auto step = search.next()) {
    // 5.6.7.1: and the number of roles looked into is bounded.
    if (search.visited() > impl_->limits.delegations_visited)
      return fail(ErrorKind::too_large,
                  fmt::format("find target {}: more than {} roles would have to be searched", path,
                              impl_->limits.delegations_visited));
    SHOAL_ASSIGN(const Targets* targets, impl_->load_targets(*step));
    if (auto found = targets->targets.find(path); found != targets->targets.end()) {
      const auto& hashes = found->second.hashes;
      if (!hashes.sha256 && hashes.sha512.empty())
        return fail(ErrorKind::metadata_invalid,
                    fmt::format("target {} has no hash of an algorithm that is known", path));
      return TargetInfo{path, found->second.length, hashes.sha256.value_or(Digest{}),
                        hashes.sha512};
    }
    search.descend(*step, *targets);
  }
  return fail(ErrorKind::not_found, fmt::format("the repository has no target {}", path));
}

Result<Bytes> Updater::download_target(const TargetInfo& target) {
  if (!impl_->refreshed) SHOAL_TRY(impl_->refresh());
  SHOAL_ASSIGN(auto path, RelativePath::parse(target.path));
  if (target.length > impl_->limits.target_file_bytes)
    return fail(ErrorKind::too_large,
                fmt::format("target {} has {} bytes, more than the {} allowed", target.path,
                            target.length, impl_->limits.target_file_bytes));
  Hashes hashes{target.sha256.is_zero() ? std::nullopt : std::optional(target.sha256),
                target.sha512, true};
  // 5.7.3: with consistent snapshots the name begins with the hash.
  std::string name = impl_->targets_prefix;
  if (impl_->trusted->root().consistent_snapshot) {
    if (!path.parent().empty()) name += encode_path(path.parent()) + '/';
    name += (hashes.sha256 ? hashes.sha256->hex() : hashes.sha512) + '.';
    name += encode_path(path.name());
  } else {
    name += encode_path(path.text());
  }
  SHOAL_ASSIGN(auto bytes, impl_->fetch(name, target.length));
  SHOAL_TRY(check_file(bytes, target.length, hashes, "target " + target.path));
  return bytes;
}

Result<void> trust_initial_root(const std::filesystem::path& metadata_dir, ByteView root_json,
                                const Limits& limits) {
  if (root_json.size() > limits.root_bytes)
    return fail(ErrorKind::too_large, fmt::format("the root has {} bytes, more than the {} allowed",
                                                  root_json.size(), limits.root_bytes));
  SHOAL_TRY(TrustedMetadata::begin(root_json, UtcSeconds{}, limits));
  SHOAL_TRY(make_directories(metadata_dir));
  auto path = metadata_dir / "root.json";
  if (auto there = read_file(path, limits.root_bytes); there) {
    if (std::ranges::equal(*there, root_json)) return {};
    return fail(ErrorKind::conflict,
                fmt::format("{} already trusts another root", metadata_dir.native()));
  } else if (there.error().kind != ErrorKind::not_found) {
    return std::unexpected(there.error());
  }
  return write_file_atomic(path, root_json);
}

}  // namespace shoal::trust
