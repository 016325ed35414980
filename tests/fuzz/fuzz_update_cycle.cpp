// A client's life as a script of one byte for each event: releases, roots and rotations by an
// honest publisher, mirrors that replay, mix and damage what was served, stolen online keys, days
// that pass, machines that stop at any change of the disk. Whatever happened, nothing that was
// trusted goes back, what is trusted belongs together, and the honest repository is followed again.
#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include "fuzzer.hpp"
#include "unit/trust/world.hpp"

namespace {

using namespace shoal;
using trust::test::kDay;
using trust::test::kEveryRole;
using Files = std::map<std::string, Bytes>;
using Versions = std::array<std::uint64_t, std::size(kEveryRole)>;

constexpr std::size_t kMaxEvents = 100;  // fewer roots than one update may bring
constexpr std::size_t kMaxPast = 16;
constexpr const char* kOnlineRoles[] = {"timestamp", "snapshot"};

class Life {
 public:
  Life();

  void happen(unsigned event, unsigned how);
  void end_well();

 private:
  trust::test::FakeRepository& publisher() { return world_.repository; }
  void publish();
  trust::SigningKey new_key();
  void set_keys(const std::string& role, std::vector<trust::SigningKey> keys);
  void add_key(const std::string& role);
  void next_root();
  void steal_online_keys(unsigned how);
  void meet_mirror(Files served, int changes);
  void cycle(int changes);
  bool update();
  void check(bool updated);
  Versions kept() const;
  Files damaged(unsigned how) const;
  Files mixed(unsigned how) const;

  trust::test::World world_;
  trust::Seen seen_;
  Files honest_;
  std::vector<Files> past_;
  // Versions of timestamp, snapshot, targets and game that were published together.
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t>> together_;
  Versions highest_{};
  bool rotated_ = false;          // the timestamp's or the snapshot's keys
  std::set<std::string> stolen_;  // ids of keys
  bool asks_for_news_ = false;    // the shorter cycle
  unsigned keys_made_ = 0;
};

// From keys of its own instead of the random ones of a World.
Life::Life() {
  for (const auto* role : kEveryRole) set_keys(role, {new_key()});
  past_ = {honest_};
  rotated_ = false;
  world_.disk.files = {{"root.json", world_.file("root")}};
}

// The next version of everything but the root, dated from today.
void Life::publish() {
  publisher().timestamp.expires = publisher().snapshot.expires = world_.now + 7 * kDay;
  for (auto& [role, body] : publisher().targets) body.expires = world_.now + 90 * kDay;
  publisher().advance();
  honest_ = publisher().files;
  if (past_.size() == kMaxPast) past_.erase(past_.begin());
  past_.push_back(honest_);
  together_.emplace(world_.version("timestamp"), world_.version("snapshot"),
                    world_.version("targets"), world_.version("game"));
}

void Life::next_root() {
  ++publisher().root.version;
  publisher().root.expires = world_.now + 365 * kDay;
  publisher().publish_root();
  publish();
}

// The same keys in every run of the same script.
trust::SigningKey Life::new_key() {
  trust::SigningKey::Seed seed{};
  seed[0] = static_cast<std::uint8_t>(++keys_made_);
  seed[1] = static_cast<std::uint8_t>(keys_made_ >> 8);
  return trust::SigningKey::from_seed(seed);
}

// Signs with what `keys` and the role's description in its delegator say.
void Life::set_keys(const std::string& role, std::vector<trust::SigningKey> keys) {
  const auto old_keys = std::exchange(publisher().keys.at(role), std::move(keys));
  auto& targets = publisher().targets.at("targets");
  auto& described = role == "game" ? targets.keys : publisher().root.keys;
  auto& allowed = role == "game" ? targets.delegations[0].keys : publisher().role_keys(role);
  allowed = {};
  for (const auto& key : publisher().keys.at(role)) {
    described.insert_or_assign(key.id(), key.public_key());
    allowed.key_ids.push_back(key.id());
  }
  allowed.threshold = static_cast<std::uint32_t>(allowed.key_ids.size());
  if (role == "game") return publish();
  rotated_ = rotated_ || std::ranges::find(kOnlineRoles, role) != std::end(kOnlineRoles);
  next_root();
  if (role != "root") return;
  std::vector<const trust::SigningKey*> both = publisher().signers("root");
  for (const auto& key : old_keys)
    if (std::ranges::find(allowed.key_ids, key.id()) == allowed.key_ids.end()) both.push_back(&key);
  honest_[world_.file_name("root")] = publisher().files[world_.file_name("root")] =
      trust::sign_root(publisher().root, both);
  past_.back() = honest_;
}

// One key more, which has to sign, too; or one instead of three.
void Life::add_key(const std::string& role) {
  constexpr std::size_t kMostKeys = 3;
  auto keys = publisher().keys.at(role);
  if (keys.size() == kMostKeys) keys.clear();
  keys.push_back(new_key());
  set_keys(role, std::move(keys));
}

// Metadata far ahead of the publisher's, signed as it should be.
void Life::steal_online_keys(unsigned how) {
  for (const auto* role : kOnlineRoles)
    for (const auto& key : publisher().keys.at(role)) stolen_.insert(key.id());
  auto thief = publisher();
  thief.snapshot.version += 1'000'000;
  thief.timestamp.version += 1'000'000 + how;
  thief.publish_snapshot();
  thief.publish_timestamp();
  past_.push_back(thief.files);
  meet_mirror(thief.files, -1);
}

Files Life::mixed(unsigned how) const {
  Files served = honest_;
  const auto& other = past_[how % past_.size()];
  for (auto& [name, bytes] : served)
    if (auto old = other.find(name); old != other.end() && (how++ & 1) != 0) bytes = old->second;
  return served;
}

Files Life::damaged(unsigned how) const {
  Files served = honest_;
  auto file = std::next(served.begin(), how % static_cast<unsigned>(served.size()));
  if (how % 3 == 0)
    served.erase(file);
  else if (how % 3 == 1)
    file->second.resize(file->second.size() / 2);
  else
    file->second[file->second.size() / 2] ^= 1;
  return served;
}

void Life::meet_mirror(Files served, int changes) {
  publisher().files = std::move(served);
  cycle(changes);
  publisher().files = honest_;
}

bool Life::update() {
  trust::Updater updater(world_.disk, "metadata/", "targets/", publisher(), world_.now);
  if (asks_for_news_) {
    if (!updater.refresh_if_changed(seen_)) return false;
  } else if (!updater.refresh()) {
    return false;
  }
  return updater.find_target("game/file").has_value();
}

void Life::cycle(int changes) {
  world_.disk.changes_left = changes;
  const bool updated = update();
  world_.disk.changes_left = -1;
  check(updated);
}

Versions Life::kept() const {
  Versions versions{};
  std::ranges::transform(kEveryRole, versions.begin(),
                         [&](const char* role) { return world_.disk.version_of(role); });
  return versions;
}

void Life::check(bool updated) {
  const auto versions = kept();
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const bool of_root = i == 0;
    // Whoever has the keys decides on versions, until they are rotated.
    if (!of_root && !stolen_.empty()) return;
    // Rotated keys drop the timestamp and the snapshot (5.3.11). An older timestamp may then be
    // kept, but leads nowhere: the snapshot that it names was signed by other keys.
    const bool may_be_dropped = rotated_ && (i == 1 || i == 2) && !updated;
    fuzz::require(may_be_dropped || versions[i] >= highest_[i], "no role goes back");
    highest_[i] = std::max(highest_[i], versions[i]);
  }
  if (updated)
    fuzz::require(together_.contains({versions[1], versions[2], versions[3], versions[4]}),
                  "what is trusted was published together");
}

void Life::happen(unsigned event, unsigned how) {
  switch (event) {
    case 0:
      return publish();
    case 1:
      return next_root();
    case 2:
      return set_keys(kEveryRole[how % std::size(kEveryRole)], {new_key()});
    case 3:
      return steal_online_keys(how);
    case 4:
      return meet_mirror(past_[how % past_.size()], -1);
    case 5:
      return meet_mirror(mixed(how), -1);
    case 6:
      return meet_mirror(damaged(how), -1);
    case 7:
      return meet_mirror(past_[how % past_.size()], static_cast<int>(how % 7));
    case 8:
      return cycle(static_cast<int>(how));
    case 9:
      return cycle(-1);
    case 10:
      world_.now += static_cast<int>(how) * kDay;
      return;
    case 11:
      publisher().root.consistent_snapshot = !publisher().root.consistent_snapshot;
      return next_root();
    case 12:
      publisher().hashes_in_meta = !publisher().hashes_in_meta;
      return publish();
    case 13:
      return add_key(kEveryRole[how % std::size(kEveryRole)]);
    default:
      asks_for_news_ = !asks_for_news_;
  }
}

// The publisher does what a publisher must do, and the client follows.
void Life::end_well() {
  for (const auto* role : kOnlineRoles)
    if (std::ranges::all_of(publisher().keys.at(role),
                            [&](const auto& key) { return stolen_.contains(key.id()); }))
      set_keys(role, {new_key()});
  next_root();
  cycle(-1);
  const auto versions = kept();
  for (std::size_t i = 0; i < versions.size(); ++i)
    fuzz::require(versions[i] == world_.version(kEveryRole[i]),
                  "the honest repository is followed again");
}

}  // namespace

SHOAL_FUZZER(update_cycle) {
  constexpr unsigned kEvents = 15;
  Life life;
  for (auto byte : bytes.first(std::min(bytes.size(), kMaxEvents)))
    life.happen(byte % kEvents, byte / kEvents);
  life.end_well();
}
