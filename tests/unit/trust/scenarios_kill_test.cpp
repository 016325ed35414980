// The machine stops at each change of the disk in turn, in every kind of update. Whatever is left,
// an attacker who replays the repository as it was before cannot take the client back, and an
// honest cycle brings it where it would have been.
#include <gtest/gtest.h>

#include "world.hpp"

namespace shoal::trust::test {
namespace {

struct Kind {
  const char* name;
  std::function<void(World&)> publish;  // what is new
};

// Versions far ahead, signed by a stolen key: then the keys are replaced.
void recover_from_a_fast_forward(World& world) {
  auto& repository = world.repository;
  repository.rotate("timestamp");
  repository.rotate("snapshot");
  ++repository.root.version;
  repository.publish_root();
  repository.timestamp.version = repository.snapshot.version = 2;
  repository.publish();
}

// The same, by keys that are added and must sign, too: what the thief signed has a good signature.
void recover_by_more_keys(World& world) {
  auto& repository = world.repository;
  for (std::string role : {"timestamp", "snapshot"}) {
    auto& keys = repository.keys.at(role);
    keys.push_back(SigningKey::generate());
    repository.root.keys[keys.back().id()] = keys.back().public_key();
    auto& allowed = repository.role_keys(role);
    allowed.key_ids.push_back(keys.back().id());
    allowed.threshold = 2;
  }
  ++repository.root.version;
  repository.publish_root();
  repository.advance();
}

const Kind kKinds[] = {
    {"new_release", [](World& world) { world.repository.advance(); }},
    {"new_root", [](World& world) { world.advance(); }},
    {"three_roots",
     [](World& world) {
       world.advance();
       world.advance();
       world.advance();
     }},
    {"rotated_timestamp_and_snapshot_keys", recover_from_a_fast_forward},
    {"added_timestamp_and_snapshot_keys", recover_by_more_keys},
    {"rotated_twice",
     [](World& world) {
       recover_from_a_fast_forward(world);
       recover_from_a_fast_forward(world);
     }},
    {"rotated_root_keys",
     [](World& world) {
       auto& repository = world.repository;
       auto old_keys = repository.keys["root"];
       repository.rotate("root");
       ++repository.root.version;
       std::vector<const SigningKey*> both = {&old_keys[0], &repository.keys["root"][0]};
       repository.files[world.file_name("root")] = sign_root(repository.root, both);
       repository.advance();
     }},
};

struct Killed : ::testing::TestWithParam<std::tuple<Kind, bool, bool>> {};

INSTANTIATE_TEST_SUITE_P(Each, Killed,
                         ::testing::Combine(::testing::ValuesIn(kKinds), ::testing::Bool(),
                                            ::testing::Bool()),
                         [](const auto& row) {
                           return std::string(std::get<0>(row.param).name) +
                                  (std::get<1>(row.param) ? "_consistent" : "_plain") +
                                  (std::get<2>(row.param) ? "_news" : "");
                         });

TEST_P(Killed, AtAnyChangeOfTheDiskTheClientIsNeitherTakenBackNorStuck) {
  const auto& [kind, consistent, news] = GetParam();
  World world(consistent);
  world.asks_for_news = news;
  auto replayed = world.repository.files;  // version 5, which the client has left behind
  world.repository.advance();
  ASSERT_TRUE(world.update().has_value());
  const FakeDisk before = world.disk;
  kind.publish(world);
  const auto honest = world.repository.files;

  ASSERT_TRUE(world.update().has_value());
  const auto finished = world.disk.files;
  const int changes = world.disk.changes - before.changes;
  ASSERT_GT(changes, 3);
  for (int kill_at = 0; kill_at < changes; ++kill_at) {
    SCOPED_TRACE(kill_at);
    world.disk = before;
    world.disk.changes_left = kill_at;
    auto killed = world.update();
    ASSERT_FALSE(killed.has_value());
    EXPECT_EQ(killed.error().kind, ErrorKind::io_error);

    world.disk.changes_left = -1;
    const FakeDisk left = world.disk;
    world.repository.files = replayed;
    EXPECT_FALSE(world.update().has_value()) << "the old repository was taken for a newer one";
    EXPECT_GE(world.disk.version_of("root"), left.version_of("root"));

    world.repository.files = honest;
    auto done = world.update();
    ASSERT_TRUE(done.has_value()) << done.error().describe();
    EXPECT_EQ(world.disk.files, finished);
  }
}

// A thief of the online keys went far ahead; the publisher adds keys, and its versions are behind.
TEST(KilledInARecovery, TheThiefsVersionsAreDroppedAtTheLatestInTheNextCycle) {
  for (bool only_snapshot : {false, true}) {
    for (int kill_at = 0; kill_at < 8; ++kill_at) {
      SCOPED_TRACE(kill_at);
      World world;
      const auto honest = world.repository;
      auto& thief = world.repository;
      thief.snapshot.version += 1'000'000;
      thief.timestamp.version += 1'000'000;
      thief.publish_snapshot();
      thief.publish_timestamp();
      ASSERT_TRUE(world.update().has_value());
      world.repository = honest;
      if (only_snapshot) {
        world.repository.rotate("snapshot");
        ++world.repository.root.version;
        world.repository.publish_root();
        world.repository.advance();
      } else {
        recover_by_more_keys(world);
      }
      world.disk.changes_left = kill_at;
      static_cast<void>(world.update());
      world.disk.changes_left = -1;
      auto done = world.update();
      ASSERT_TRUE(done.has_value()) << done.error().describe();
      EXPECT_EQ(world.disk.version_of("timestamp"), 6U);
    }
  }
}

TEST(KilledTwice, AnUpdateFinishesHoweverOftenItIsCutShort) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  recover_from_a_fast_forward(world);
  world.advance();
  int cuts = 0;
  for (world.disk.changes_left = 1; !world.update(); world.disk.changes_left = 1)
    ASSERT_LT(++cuts, 30);
  EXPECT_GT(cuts, 4);
}

TEST(DamagedDisk, FilesThatChangedOnTheDiskAreFetchedAgain) {
  for (std::string role : {"timestamp", "snapshot", "targets", "game"})
    for (bool emptied : {false, true}) {
      SCOPED_TRACE(role);
      World world;
      ASSERT_TRUE(world.update().has_value());
      auto& file = world.disk.files[role + ".json"];
      if (emptied)
        file.clear();
      else
        file[file.size() / 2] ^= 1;
      auto done = world.update();
      ASSERT_TRUE(done.has_value()) << done.error().describe();
      EXPECT_EQ(world.disk.files[role + ".json"], world.file(role));
    }
}

// What cannot be read for now may be newer than all that a mirror replays.
TEST(DamagedDisk, WhatCannotBeReadForNowIsNotDoneWithout) {
  for (std::string name : {"timestamp.json", "snapshot.json", "rotation"}) {
    SCOPED_TRACE(name);
    World world;
    const auto replayed = world.repository.files;
    world.repository.advance();
    ASSERT_TRUE(world.update().has_value());
    const auto before = world.disk.files;
    world.repository.files = replayed;
    world.disk.unreadable = {name};
    auto refused = world.update();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(world.disk.files, before);
    world.disk.unreadable.clear();
    EXPECT_EQ(world.update().error().kind, ErrorKind::metadata_rollback);
    world.repository.advance();
    EXPECT_TRUE(world.update().has_value());
  }
}

// A note of a rotation that cannot be understood is taken for one that is not finished.
TEST(FullDisk, WithNothingNewNothingNeedsToBeWritten) {
  World world;
  ASSERT_TRUE(world.update().has_value());
  world.now += kDay;  // roots are asked for again
  world.disk.changes_left = 0;
  Seen none;
  Updater updater(world.disk, "metadata/", "targets/", world.repository, world.now);
  EXPECT_TRUE(updater.refresh_if_changed(none).has_value());
}

TEST(DamagedDisk, ANoteThatChangedOnTheDiskIsFinished) {
  for (const std::string& note : {std::string(), std::string("x"), std::string(33, '9')}) {
    World world;
    ASSERT_TRUE(world.update().has_value());
    world.disk.files["rotation"] = to_bytes(note);
    ASSERT_TRUE(world.update().has_value());
    EXPECT_FALSE(world.disk.files.contains("rotation"));
    EXPECT_EQ(world.disk.version_of("timestamp"), 5U);
  }
}

TEST(DamagedDisk, ARootThatChangedOnTheDiskIsNotUsedAndSaysWhatToDo) {
  World world;
  auto& root = world.disk.files["root.json"];
  root[root.size() / 2] ^= 1;
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().remedy.find("root.json"), std::string::npos);
}

}  // namespace
}  // namespace shoal::trust::test
