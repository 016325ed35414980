// What a caller sees of an update cycle, and its end: the search for a target (TUF 5.6.7) and the
// fetch of its bytes (5.7).
#include "trust/updater.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/relative_path.hpp"
#include "trust/update_cycle.hpp"

namespace shoal::trust {
namespace {

constexpr const char* kTellPublisher = "Tell the publisher.";

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

// 5.7.3: with consistent snapshots the file's name begins with the hash.
std::string target_path(const RelativePath& path, const Hashes& hashes, bool consistent) {
  if (!consistent) return encode_path(path.text());
  std::string out;
  if (!path.parent().empty()) out += encode_path(path.parent()) + '/';
  out += (hashes.sha256 ? hashes.sha256->hex() : hashes.sha512) + '.';
  return out + encode_path(path.name());
}

}  // namespace

struct Updater::Impl {
  std::unique_ptr<DirectoryStore> directory;  // when the caller gave no store
  std::string targets_prefix;
  UpdateCycle cycle;
};

Updater::Updater(std::filesystem::path metadata_dir, std::string metadata_prefix,
                 std::string targets_prefix, Fetcher& fetcher, UtcSeconds now, Limits limits) {
  auto directory = std::make_unique<DirectoryStore>(std::move(metadata_dir));
  MetadataStore& store = *directory;
  impl_.reset(new Impl{std::move(directory), std::move(targets_prefix),
                       UpdateCycle(store, std::move(metadata_prefix), fetcher, now, limits)});
}

Updater::Updater(MetadataStore& store, std::string metadata_prefix, std::string targets_prefix,
                 Fetcher& fetcher, UtcSeconds now, Limits limits)
    : impl_(new Impl{nullptr, std::move(targets_prefix),
                     UpdateCycle(store, std::move(metadata_prefix), fetcher, now, limits)}) {}

Updater::~Updater() = default;

Result<void> Updater::refresh() { return impl_->cycle.refresh(); }

Result<bool> Updater::refresh_if_changed(Seen& seen) {
  return impl_->cycle.refresh_if_changed(seen);
}

Result<std::vector<std::string>> Updater::delegated_roles() {
  SHOAL_TRY(impl_->cycle.ready());
  std::vector<std::string> roles;
  for (const auto& delegation : impl_->cycle.trusted()->targets("targets")->delegations)
    roles.push_back(delegation.role);
  return roles;
}

Result<TargetInfo> Updater::find_target(const std::string& path) {
  SHOAL_TRY(impl_->cycle.ready());
  SHOAL_TRY(RelativePath::parse(path));
  const Limits& limits = impl_->cycle.limits();
  DelegationSearch search(path, limits.delegations_waiting);
  auto good_until = UtcSeconds::max();
  while (auto step = search.next()) {
    // 5.6.7.1: the number of roles looked into is bounded, and how deep they lie.
    if (search.visited() > limits.delegations_visited)
      return fail(ErrorKind::too_large,
                  fmt::format("find target {}: more than {} roles would have to be searched", path,
                              limits.delegations_visited),
                  kTellPublisher);
    if (step->depth > limits.delegation_depth)
      return fail(ErrorKind::too_large,
                  fmt::format("find target {}: the role '{}' lies deeper than {} delegations", path,
                              step->role, limits.delegation_depth),
                  kTellPublisher);
    SHOAL_ASSIGN(const Targets* targets, impl_->cycle.load_targets(*step));
    good_until = std::min(good_until, targets->expires);
    if (auto found = targets->targets.find(path); found != targets->targets.end()) {
      const auto& hashes = found->second.hashes;
      if (!hashes.sha256 && hashes.sha512.empty())
        return fail(ErrorKind::metadata_invalid,
                    fmt::format("{} metadata version {}: target {} has no hash of an algorithm that"
                                " is known",
                                step->role, targets->version, path));
      return TargetInfo{path, found->second.length, hashes.sha256.value_or(Digest{}), hashes.sha512,
                        good_until};
    }
    if (!search.descend(*step, *targets))
      return fail(ErrorKind::too_large,
                  fmt::format("find target {}: {} delegates it to more than {} roles", path,
                              step->role, limits.delegations_waiting),
                  kTellPublisher);
  }
  // 5.7.2
  return fail(ErrorKind::not_found, fmt::format("the repository has no target {}", path));
}

Result<Bytes> Updater::download_target(const TargetInfo& target) {
  SHOAL_TRY(impl_->cycle.ready());
  SHOAL_ASSIGN(auto path, RelativePath::parse(target.path));
  const Limits& limits = impl_->cycle.limits();
  if (target.length > limits.target_file_bytes)
    return fail(ErrorKind::too_large,
                fmt::format("target {} has {} bytes, more than the {} allowed", target.path,
                            target.length, limits.target_file_bytes),
                kTellPublisher);
  Hashes hashes{target.sha256.is_zero() ? std::nullopt : std::optional(target.sha256),
                target.sha512, true};
  bool consistent = impl_->cycle.trusted()->root().consistent_snapshot;
  // 5.7.3
  return impl_->cycle.fetch(impl_->targets_prefix + target_path(path, hashes, consistent),
                            target.length, [&](ByteView bytes) {
                              return check_file(bytes, target.length, hashes,
                                                "target " + target.path);
                            });
}

std::uint32_t Updater::first_mirror() const { return impl_->cycle.first_mirror(); }

Result<void> trust_initial_root(const std::filesystem::path& metadata_dir, ByteView root_json,
                                const Limits& limits) {
  if (root_json.size() > limits.root_bytes)
    return fail(ErrorKind::too_large,
                fmt::format("the root has {} bytes, more than the {} allowed", root_json.size(),
                            limits.root_bytes),
                kTellPublisher);
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
