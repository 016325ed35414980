// Opening a repository, and the small changes: channels, renewals, the delegation of a product.
// What all of them end in is in repository_commit.cpp.
#include "publish/repository.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "publish/cleanup.hpp"
#include "publish/describe.hpp"
#include "publish/pending.hpp"
#include "publish/root_change.hpp"
#include "publish/root_copy.hpp"

namespace shoal::publish {
namespace {

Result<UniqueFd> lock_repository(const Layout& layout) {
  constexpr ::mode_t kPrivate = 0600;  // who can open it can lock it, and hold all publishers up
  UniqueFd lock(::open(layout.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kPrivate));
  if (!lock) return fail(system_error(errno, "open", layout.lock().native()));
  // Earlier versions made it readable. Somebody else's file stays as it is.
  if (::fchmod(lock.get(), kPrivate) != 0 && errno != EPERM)
    return fail(system_error(errno, "change the mode of", layout.lock().native()));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(ErrorKind::conflict,
                  fmt::format("another publisher is working on {}", layout.root().native()),
                  "Wait until it has finished.");
    return fail(system_error(errno, "lock", layout.lock().native()));
  }
  return lock;
}

}  // namespace

Result<Repository> Repository::open(const std::filesystem::path& root, Environment environment) {
  Layout layout(root);
  SHOAL_TRY(check_is_repository(layout));
  SHOAL_ASSIGN(auto lock, lock_repository(layout));
  SHOAL_ASSIGN(auto state, load_state(layout));
  SHOAL_TRY(restore_root_copies(layout, state));
  SHOAL_TRY(remove_staged_metadata(layout));
  SHOAL_TRY(remove_unfinished(layout, state));
  return Repository(std::move(layout), std::move(lock), std::move(state), std::move(environment));
}

bool Repository::ends_soon(UtcSeconds expires, std::chrono::days lifetime, int last_percent) const {
  return expires - environment_.now < std::chrono::seconds(lifetime) * last_percent / 100;
}

bool Repository::is_due(UtcSeconds expires, std::chrono::days lifetime, int last_percent) const {
  // More than a lifetime is left where the clock was wrong, or lifetimes were longer.
  return ends_soon(expires, lifetime, last_percent) || expires - environment_.now > lifetime;
}

void Repository::clean_up(bool bundles, std::vector<std::string>& warnings) const {
  auto clean = [&]() -> Result<void> {
    SHOAL_ASSIGN(auto removed, remove_applied(layout_, state_));
    SHOAL_TRY(remove_superseded(layout_, state_));
    if (bundles || removed > 0) SHOAL_TRY(remove_unreferenced_bundles(layout_, state_));
    return {};
  };
  if (auto cleaned = clean(); !cleaned)
    warnings.push_back(
        fmt::format("files that nothing needs any more were not all removed: {}; the next change "
                    "tries again, and 'check' lists what is damaged",
                    cleaned.error().message));
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
  auto delegation = product_delegation(product);
  delegation.keys.key_ids = {key->id()};
  if (!edit.targets) edit.targets = state_.targets;
  edit.targets->keys[key->id()] = key->public_key();
  edit.targets->delegations.push_back(std::move(delegation));
  return &edit.products[product];
}

void Repository::put_target(Edit& edit, const std::string& product, TargetFile file) const {
  edit.products.at(product).targets[file.path] = trust::describe_target(file.bytes);
  edit.files.push_back(std::move(file));
}

Result<ChangeReport> Repository::set_channel(const std::string& product, const std::string& channel,
                                             const std::string& version, KeyStore& keys,
                                             bool may_propose) {
  SHOAL_TRY(check_name("channel", channel));
  SHOAL_ASSIGN(auto list, read_channels(layout_, state_, product));
  if (std::ranges::find(list.versions, version) == list.versions.end())
    return fail(ErrorKind::not_found,
                fmt::format("product '{}' has no version '{}'", product, version),
                "'shoal-publish list' shows what is there.");
  auto& entry = list.channels[channel];
  if (entry == version) return ChangeReport{false, {}, {}};
  entry = version;
  Edit edit;
  SHOAL_TRY(edit_product(edit, product, keys));
  put_target(edit, product,
             {content::channels_target(product), to_bytes(content::format_channels(list))});
  ChangeReport report;
  SHOAL_ASSIGN(report.proposal, commit(std::move(edit), keys, may_propose));
  clean_up(false, report.warnings);
  return report;
}

Result<void> Repository::renew_root(KeyStore& keys) {
  SHOAL_ASSIGN(auto signers, keys.enough_signers(state_.root.root, "root"));
  trust::Root next = state_.root;
  ++next.version;
  next.expires = environment_.now + environment_.lifetimes.root;
  SHOAL_TRY(check_readable({"root", trust::signed_bytes_of(next), {}}));
  if (environment_.about_to_sign) {
    SigningNotice notice{{describe_root_version(state_.root, next)}, {}};
    notice.add("root", signers);
    environment_.about_to_sign(notice);
  }
  Bytes root = trust::sign_root(next, signers);
  SHOAL_TRY(write(layout_.metadata(next.version, "root"), root));
  state_.root = std::move(next);
  return write(layout_.root_copy(), root);
}

bool Repository::root_is_announced() const {
  std::error_code root_error, timestamp_error;
  auto root =
      std::filesystem::last_write_time(layout_.metadata(state_.root.version, "root"), root_error);
  auto timestamp = std::filesystem::last_write_time(layout_.timestamp(), timestamp_error);
  return root_error || timestamp_error || root <= timestamp;
}

Result<RefreshReport> Repository::refresh(KeyStore& keys, const RefreshOptions& options) {
  // A timer with the wrong keys is to fail on its first day, and not on the last.
  SHOAL_TRY(keys.check_enough(state_.root.snapshot, "snapshot"));
  SHOAL_TRY(keys.check_enough(state_.root.timestamp, "timestamp"));
  RefreshReport report;
  const Lifetimes& lifetimes = environment_.lifetimes;
  Edit here, elsewhere;  // what the keys at hand can sign, and what they cannot
  const auto waiting = options.may_propose ? roles_that_wait(layout_, state_, environment_.now)
                                           : std::map<std::string, WaitingProposal>{};
  auto judge = [&](const std::string& role, UtcSeconds expires, std::chrono::days lifetime,
                   const trust::RoleKeys& allowed) -> Edit* {
    // A root's date is its holders' choice, however far away (root propose --expires).
    bool due = role == "root" ? ends_soon(expires, lifetime, lifetimes.renew_in_last_percent)
                              : is_due(expires, lifetime, lifetimes.renew_in_last_percent);
    if (!due) return nullptr;
    bool enough = options.all && keys.check_enough(allowed, role);
    if (!enough && !(options.all && options.may_propose && role != "root")) {
      report.warnings.push_back(fmt::format("'{}' expires at {}; {}", role, format_utc(expires),
                                            !options.all ? "'refresh --all' with its keys renews it"
                                            : role == "root"
                                                ? "'root propose --expires' renews it"
                                                : "too few of its keys are here: --propose"));
      return nullptr;
    }
    if (auto waits = waiting.find(role);
        !enough && waits != waiting.end() && waits->second.with_files) {
      report.warnings.push_back(
          fmt::format("'{}' expires at {}; the proposal in {} renews it, once it is applied", role,
                      format_utc(expires), waits->second.file.native()));
      return nullptr;
    }
    if (enough) report.renewed.push_back(role);
    return enough ? &here : &elsewhere;
  };
  bool announce = !root_is_announced();
  if (judge("root", state_.root.expires, lifetimes.root, state_.root.root)) {
    SHOAL_TRY(renew_root(keys));
    announce = true;
  }
  if (auto* edit = judge("targets", state_.targets.expires, lifetimes.targets, state_.root.targets))
    edit->targets = state_.targets;
  for (const auto& delegation : state_.targets.delegations) {
    const auto& body = state_.products.at(delegation.role);
    if (auto* edit = judge(delegation.role, body.expires, lifetimes.targets, delegation.keys))
      edit->products[delegation.role] = body;
  }
  bool new_snapshot =
      is_due(state_.snapshot.expires, lifetimes.snapshot, lifetimes.renew_in_last_percent);
  bool changes = here.targets || !here.products.empty();
  if (changes || new_snapshot || announce ||
      is_due(state_.timestamp.expires, lifetimes.timestamp,
             lifetimes.renew_timestamp_in_last_percent)) {
    State next = state_;
    auto roles = next_roles(here, next);
    SHOAL_TRY(sign_roles(roles, here, next, true, keys));
    SHOAL_TRY(publish(std::move(next), roles, new_snapshot, keys));
    if (changes || new_snapshot) report.renewed.push_back("snapshot");
    report.renewed.push_back("timestamp");
    clean_up(false, report.warnings);
  }
  if (elsewhere.targets || !elsewhere.products.empty()) {
    SHOAL_ASSIGN(report.proposal, commit(std::move(elsewhere), keys, true));
  }
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

// Whether a root is what an init with these keys makes.
bool is_first_root(const std::filesystem::path& path, KeyStore& keys) {
  constexpr trust::Limits kLimits{};
  auto bytes = read_file(path, kLimits.root_bytes);
  if (!bytes) return bytes.error().kind == ErrorKind::not_found;
  auto root = trust::parse_root(*bytes, kLimits);
  return root && root->body.version == 1 && std::ranges::all_of(kTopLevelRoles, [&](auto role) {
           return keys.check_enough(keys_of_role(root->body, role), role).has_value();
         });
}

// Whether all that is there is what an init with these keys leaves when it is stopped. Anything
// else was published, and init would write over its root.
bool is_own_start(const Layout& layout, KeyStore& keys) {
  std::error_code error;
  std::filesystem::directory_iterator end;
  if (std::filesystem::directory_iterator(layout.bundles(), error) != end) return false;
  for (std::filesystem::directory_iterator entry(layout.metadata(), error); !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename();
    bool known = is_temporary_name(name) || name == metadata_name(1, "root") ||
                 name == metadata_name(1, "targets") || name == metadata_name(1, "snapshot");
    if (!known) return false;
  }
  return is_first_root(layout.metadata(1, "root"), keys) && is_first_root(layout.root_copy(), keys);
}

Result<void> check_may_begin(const Layout& layout, KeyStore& keys) {
  std::error_code ignored;
  const auto& name = layout.root().native();
  if (std::filesystem::exists(layout.timestamp(), ignored))
    return fail(ErrorKind::conflict, fmt::format("{} is a repository already", name),
                "Choose another folder.");
  if (is_own_start(layout, keys)) return {};
  return fail(
      ErrorKind::conflict,
      fmt::format("{} holds a repository that has lost its metadata/timestamp.json, or that "
                  "other keys began",
                  name),
      "Put the timestamp back from a copy; for a new repository choose another folder.");
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
  SHOAL_TRY(check_may_begin(layout, keys));
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
