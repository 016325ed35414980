// Asking for news, with and without a memory of what was verified before: such a memory saves time
// and changes no answer, whatever happened to the disk, the clock or the repository since.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.hpp"

namespace shoal::trust::test {
namespace {

using K = ErrorKind;
using nlohmann::json;
using ::testing::ElementsAre;

Result<bool> look(World& world, Seen& seen) {
  Updater updater(world.disk, "metadata/", "targets/", world.repository, world.now, world.limits);
  return updater.refresh_if_changed(seen);
}

// A client that has verified what it keeps, and remembers.
struct Remembering : ::testing::Test {
  World world;
  Seen seen;
  void SetUp() override {
    ASSERT_TRUE(world.update().has_value());
    ASSERT_EQ(look(world, seen), false);
    world.repository.requests.clear();
  }
};

TEST(NothingNew, IsKnownAfterOneRequest) {
  World world;
  Seen none;
  Updater first(world.disk, "metadata/", "targets/", world.repository, kNow);
  EXPECT_TRUE(first.refresh_if_changed(none).value());
  world.repository.requests.clear();
  Updater second(world.disk, "metadata/", "targets/", world.repository, kNow);
  EXPECT_FALSE(second.refresh_if_changed(none).value());
  EXPECT_THAT(world.repository.requests, ::testing::ElementsAre("metadata/timestamp.json"));
  EXPECT_TRUE(second.find_target("game/file").has_value());
}

TEST(NothingNew, IsNotSaidOfWhatHasExpiredOrIsGoneOrIsNewer) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  auto ask = [&](World client) {
    Seen none;
    return look(client, none);
  };
  World late = world;
  late.now = kNow + 8 * kDay;
  EXPECT_EQ(ask(late).error().kind, K::metadata_expired);
  for (std::string name : {"snapshot.json", "targets.json", "timestamp.json"}) {
    World damaged = world;
    damaged.disk.files.erase(name);
    EXPECT_TRUE(ask(damaged).value()) << name;
  }
  World newer = world;
  newer.advance();
  EXPECT_TRUE(ask(newer).value());
  World older = world;
  older.repository.timestamp.version = 4;
  older.repository.publish_timestamp();
  EXPECT_EQ(ask(older).error().kind, K::metadata_rollback);
  World rotated = world;  // the timestamp fetched first is of the old key, then there is a new one
  rotated.repository.rotate("timestamp");
  rotated.repository.advance();
  ++rotated.repository.root.version;
  rotated.repository.publish_root();
  EXPECT_TRUE(ask(rotated).value());
}

// Limits under which nothing at all can be parsed.
Limits nothing_parses() {
  Limits limits;
  limits.json_depth = 0;
  return limits;
}

TEST_F(Remembering, WhatWasSeenIsNotParsedAgainUntilATargetIsAskedFor) {
  world.limits = nothing_parses();
  Updater updater(world.disk, "metadata/", "targets/", world.repository, world.now, world.limits);
  EXPECT_EQ(updater.refresh_if_changed(seen), false);
  EXPECT_THAT(world.repository.requests, ElementsAre("metadata/timestamp.json"));
  EXPECT_FALSE(updater.find_target("game/file").has_value());
  Seen none;
  EXPECT_FALSE(look(world, none).has_value());
}

TEST_F(Remembering, ATargetThatIsAskedForThenNeedsNoMoreRequests) {
  Updater updater(world.disk, "metadata/", "targets/", world.repository, world.now, world.limits);
  ASSERT_EQ(updater.refresh_if_changed(seen), false);
  auto target = updater.find_target("game/file");
  ASSERT_TRUE(target.has_value()) << target.error().describe();
  EXPECT_EQ(target->good_until, kNow + 90 * kDay);
  EXPECT_THAT(updater.delegated_roles().value(), ElementsAre("game"));
  EXPECT_THAT(world.repository.requests, ElementsAre("metadata/timestamp.json"));
}

struct Since {
  const char* name;
  std::function<void(World&)> change;
};

// Version 6 is honest, and came after what is remembered.
void stop_in_the_update_after(World& world, int changes) {
  world.advance();
  world.disk.changes_left = changes;
  EXPECT_FALSE(world.update().has_value());
  world.disk.changes_left = -1;
}

void raise_the_threshold_of(const std::string& role, World& world) {
  auto added = SigningKey::generate();
  auto& root = world.repository.root;
  world.repository.keys[role].push_back(added);
  root.keys[added.id()] = added.public_key();
  world.repository.role_keys(role).key_ids.push_back(added.id());
  world.repository.role_keys(role).threshold = 2;
  ++root.version;
  world.repository.publish_root();
}

const Since kSince[] = {
    {"nothing", [](World&) {}},
    {"a_new_release", [](World& world) { world.advance(); }},
    {"an_older_timestamp",
     [](World& world) {
       world.repository.timestamp.version = 4;
       world.repository.publish_timestamp();
     }},
    {"another_timestamp_of_the_same_version",
     [](World& world) {
       world.repository.timestamp.expires += kDay;
       world.repository.publish_timestamp();
     }},
    {"a_timestamp_by_nobody", [](World& world) { world.file("timestamp")[20] ^= 1; }},
    {"no_network", [](World& world) { world.repository.broken = {"metadata/timestamp.json"}; }},
    {"the_clock_went_on_for_a_day", [](World& world) { world.now += kDay; }},
    {"the_timestamp_expired_this_second", [](World& world) { world.now = kNow + 7 * kDay; }},
    {"the_timestamp_has_a_second_left",
     [](World& world) { world.now = kNow + 7 * kDay - std::chrono::seconds(1); }},
    {"all_expired", [](World& world) { world.now = kNow + 1000 * kDay; }},
    {"the_clock_was_set_back", [](World& world) { world.now = kNow - 1000 * kDay; }},
    {"the_clock_was_set_back_to_before_1970",
     [](World& world) { world.now = UtcSeconds{} - kDay; }},
    {"the_clock_went_past_the_expiry_and_back",
     [](World& world) {
       world.now = kNow + 8 * kDay;
       Seen none;
       EXPECT_FALSE(look(world, none).has_value());
       world.now = kNow;
     }},
    {"no_root_kept", [](World& world) { world.disk.files.erase("root.json"); }},
    {"no_timestamp_kept", [](World& world) { world.disk.files.erase("timestamp.json"); }},
    {"no_snapshot_kept", [](World& world) { world.disk.files.erase("snapshot.json"); }},
    {"no_targets_kept", [](World& world) { world.disk.files.erase("targets.json"); }},
    {"damaged_root", [](World& world) { world.disk.files["root.json"][40] ^= 1; }},
    {"damaged_timestamp", [](World& world) { world.disk.files["timestamp.json"][40] ^= 1; }},
    {"damaged_snapshot", [](World& world) { world.disk.files["snapshot.json"][40] ^= 1; }},
    {"damaged_targets", [](World& world) { world.disk.files["targets.json"][40] ^= 1; }},
    {"emptied_targets", [](World& world) { world.disk.files["targets.json"].clear(); }},
    {"bytes_that_moved_to_the_next_file",
     [](World& world) {
       auto& snapshot = world.disk.files["snapshot.json"];
       auto& targets = world.disk.files["targets.json"];
       targets.insert(targets.begin(), snapshot.back());
       snapshot.pop_back();
     }},
    {"stopped_after_the_root", [](World& world) { stop_in_the_update_after(world, 1); }},
    {"stopped_after_the_timestamp", [](World& world) { stop_in_the_update_after(world, 2); }},
    {"stopped_after_the_snapshot", [](World& world) { stop_in_the_update_after(world, 3); }},
    {"stopped_after_the_timestamp_then_replayed",
     [](World& world) {
       auto old = world.file("timestamp");
       stop_in_the_update_after(world, 2);
       world.file("timestamp") = old;
     }},
    {"stopped_after_a_root_that_asks_for_two_timestamp_keys",
     [](World& world) {
       raise_the_threshold_of("timestamp", world);
       world.disk.files["root.json"] = world.file("root");
     }},
    {"stopped_after_a_root_that_asks_for_two_targets_keys",
     [](World& world) {
       raise_the_threshold_of("targets", world);
       world.disk.files["root.json"] = world.file("root");
     }},
    {"stopped_in_a_rotation_after_its_note",
     [](World& world) {
       world.repository.rotate("timestamp");
       world.advance();
       world.disk.changes_left = 1;
       EXPECT_FALSE(world.update().has_value());
       world.disk.changes_left = -1;
     }},
    {"stopped_in_a_rotation_after_its_root",
     [](World& world) {
       world.repository.rotate("timestamp");
       world.advance();
       world.disk.changes_left = 2;
       EXPECT_FALSE(world.update().has_value());
       world.disk.changes_left = -1;
     }},
};

struct AMemory : ::testing::TestWithParam<Since> {};
INSTANTIATE_TEST_SUITE_P(Since, AMemory, ::testing::ValuesIn(kSince),
                         [](const auto& row) { return std::string(row.param.name); });

template <typename T>
std::string told(const Result<T>& result) {
  return result ? "ok" : result.error().describe();
}

TEST_P(AMemory, ChangesNoAnswerAndNothingThatIsKept) {
  World world;
  Seen seen;
  ASSERT_TRUE(world.update().has_value());
  ASSERT_EQ(look(world, seen), false);
  GetParam().change(world);

  World forgetful = world;
  Seen none;
  auto answer = look(world, seen);
  auto without = look(forgetful, none);
  EXPECT_EQ(told(answer), told(without));
  if (answer && without) {
    EXPECT_EQ(*answer, *without);
  }
  EXPECT_EQ(world.disk.files, forgetful.disk.files);
  EXPECT_EQ(world.repository.requests, forgetful.repository.requests);
  EXPECT_EQ(told(world.download("game/file")), told(forgetful.download("game/file")));
  EXPECT_EQ(world.disk.files, forgetful.disk.files);
}

TEST_F(Remembering, ARootThatAsksForMoreKeysUnseesWhatFewerSigned) {
  raise_the_threshold_of("timestamp", world);
  world.disk.files["root.json"] = world.file("root");
  auto refused = look(world, seen);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::signature_invalid);
}

TEST_F(Remembering, OfEveryRoleTheDateEndsIt) {
  for (std::string role : {"root", "timestamp", "snapshot", "targets"}) {
    SCOPED_TRACE(role);
    World early;
    early.change_signed(role, [](json& body) { body["expires"] = format_utc(kNow + kDay); });
    early.disk.files["root.json"] = early.file("root");
    ASSERT_TRUE(early.update().has_value());
    Seen verdict;
    ASSERT_EQ(look(early, verdict), false);
    EXPECT_EQ(verdict.good_until, kNow + kDay);
    early.now = kNow + kDay;
    auto late = look(early, verdict);
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(late.error().kind, K::metadata_expired);
  }
}

// A mirror may go on serving a timestamp of stolen keys, good for years, to hide the root that
// revokes them.
TEST_F(Remembering, ARootAloneIsNoticedAfterADayThoughTheTimestampIsTheSame) {
  auto& repository = world.repository;
  ++repository.root.version;
  repository.publish_root();
  world.now = kNow + kDay - std::chrono::seconds(1);
  EXPECT_EQ(look(world, seen), false);
  EXPECT_EQ(world.disk.version_of("root"), 5U);
  world.now = kNow + kDay;
  EXPECT_EQ(look(world, seen), true);
  EXPECT_EQ(world.disk.version_of("root"), 6U);
  EXPECT_EQ(look(world, seen), false) << "and a day later the next time";
}

TEST_F(Remembering, RootsAreAskedForWhenTheNoteOfTheLastTimeIsNoGood) {
  for (std::string note : {"", "soon", "-5", "99999999999", "18446744073709551616"}) {
    SCOPED_TRACE(note);
    world.disk.files["roots-asked"] = to_bytes(note);
    EXPECT_EQ(look(world, seen), true);
    EXPECT_EQ(look(world, seen), false);
  }
}

TEST_F(Remembering, AProductThatExpiredIsRefusedThoughNothingIsNew) {
  const auto soon = kNow + std::chrono::hours(12);
  world.change_signed("game", [&](json& body) { body["expires"] = format_utc(soon); });
  world.disk.files.erase("game.json");
  world.now = soon;
  Updater updater(world.disk, "metadata/", "targets/", world.repository, world.now, world.limits);
  ASSERT_EQ(updater.refresh_if_changed(seen), false);
  EXPECT_EQ(updater.find_target("game/file").error().kind, K::metadata_expired);
}

TEST_F(Remembering, WhatChangesOnTheDiskBetweenTheAnswerAndItsUseIsNotUsed) {
  auto older = world.disk.files;
  world.advance();
  ASSERT_TRUE(world.update().has_value());
  ASSERT_EQ(look(world, seen), false);
  Updater updater(world.disk, "metadata/", "targets/", world.repository, world.now, world.limits);
  ASSERT_EQ(updater.refresh_if_changed(seen), false);
  world.disk.files = older;
  ASSERT_TRUE(updater.find_target("game/file").has_value());
  EXPECT_EQ(world.disk.version_of("timestamp"), 6U);
}

TEST_F(Remembering, ARefusedAnswerIsNotRemembered) {
  const auto before = seen.kept;
  world.file("timestamp")[20] ^= 1;
  EXPECT_FALSE(look(world, seen).has_value());
  EXPECT_EQ(seen.kept, before);
  Seen none;
  EXPECT_FALSE(look(world, none).has_value());
  EXPECT_TRUE(none.kept.is_zero());
}

}  // namespace
}  // namespace shoal::trust::test
