// Deltas of whole trees: what comes out is the new tree, whatever was done to the old one; and no
// damage or hostile head makes anything else of it.
#include "content/byte_codec.hpp"
#include "trees.hpp"

namespace shoal::delta {
namespace {

using namespace test;

void expect_tree_round_trip(const Tree& old_tree, const Tree& new_tree,
                            std::uint64_t group_bytes = 0) {
  const auto delta = test::make_tree_delta(old_tree, new_tree, group_bytes);
  const auto applied = test::apply_tree_delta(old_tree, describe(new_tree), delta.bytes);
  ASSERT_TRUE(applied) << applied.error().describe();
  EXPECT_TRUE(*applied == new_tree);
}

TEST(TreeDelta, RandomEditScriptsRoundTrip) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Tree old_tree = random_tree(random, 1 + below(random, 8), 20'000);
    const Tree new_tree =
        edited_tree(random, old_tree, 1 + static_cast<unsigned>(below(random, 9)));
    expect_tree_round_trip(old_tree, new_tree);
  }
}

TEST(TreeDelta, TreesLargerThanAGroupRoundTrip) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Tree old_tree = random_tree(random, 6, 100'000);
    const Tree new_tree = edited_tree(random, old_tree, 12);
    const auto delta = test::make_tree_delta(old_tree, new_tree, 60'000);
    for (const auto& group : delta.made.head.groups) {
      std::uint64_t bytes = 0;
      for (const auto& slice : group.old_slices) bytes += slice.size;
      for (const auto& slice : group.new_slices) bytes += slice.size;
      EXPECT_LE(bytes, 60'000U);
    }
    expect_tree_round_trip(old_tree, new_tree, 60'000);
  }
}

TEST(TreeDelta, ASliceFindsWhatItWasMadeFromInAnotherFile) {
  Random random(4);
  Tree old_tree, new_tree;
  for (const auto* name : {"a", "b", "c", "d"}) old_tree[name] = random_bytes(random, 100'000);
  new_tree["x"] = edited(random, old_tree["d"], 3);
  new_tree["y"] = edited(random, old_tree["a"], 3);
  const auto delta = test::make_tree_delta(old_tree, new_tree, 250'000);
  EXPECT_GT(delta.made.head.groups.size(), 1U);
  EXPECT_LT(delta.bytes.size(), 10'000U);
  expect_tree_round_trip(old_tree, new_tree, 250'000);
}

TEST(TreeDelta, WhatStaysMovesOrIsCopiedCostsNothing) {
  Random random(5);
  const Bytes bytes = random_bytes(random, 100'000);
  const Tree old_tree = {{"a", bytes}, {"b", random_bytes(random, 50'000)}, {"empty", {}}};
  const Tree new_tree = {{"a", bytes}, {"copy", bytes}, {"moved/b", old_tree.at("b")}, {"e", {}}};
  const auto delta = test::make_tree_delta(old_tree, new_tree);
  EXPECT_TRUE(delta.made.head.groups.empty());
  EXPECT_LT(delta.bytes.size(), 100U);
  expect_tree_round_trip(old_tree, new_tree);
}

TEST(TreeDelta, TwinsAreMadeOnce) {
  Random random(6);
  const Bytes bytes = random_bytes(random, 50'000);
  const Tree new_tree = {{"a", bytes}, {"b", bytes}};
  const auto delta = test::make_tree_delta({}, new_tree);
  EXPECT_LT(delta.bytes.size(), 55'000U);
  expect_tree_round_trip({}, new_tree);
}

TEST(TreeDelta, CostsAreByFileAndAddUp) {
  Random random(7);
  Tree old_tree = {{"pak", random_bytes(random, 400'000)}};
  Bytes shuffled = old_tree["pak"];
  std::rotate(shuffled.begin(), shuffled.begin() + 150'000, shuffled.end());
  const Tree new_tree = {{"fresh", random_bytes(random, 30'000)}, {"pak", shuffled}};
  const auto delta = test::make_tree_delta(old_tree, new_tree);
  ASSERT_EQ(delta.made.files.size(), 2U);
  const auto& fresh = delta.made.files[0];
  const auto& pak = delta.made.files[1];
  EXPECT_EQ(fresh.new_bytes, 30'000U);
  EXPECT_LT(fresh.covered_bytes, 1000U);
  EXPECT_GE(pak.covered_bytes, 399'000U);
  EXPECT_GE(pak.moved_bytes, 140'000U);
  EXPECT_GT(fresh.delta_bytes, 29'000U);
  EXPECT_LT(pak.delta_bytes, 1000U);
  EXPECT_EQ(fresh.delta_bytes + pak.delta_bytes, delta.made.statistics.delta_bytes);
}

TEST(TreeDelta, AnotherOldOrNewTreeIsRefusedAndSaidSo) {
  Random random(8);
  const Tree old_tree = random_tree(random, 3, 20'000);
  const Tree new_tree = edited_tree(random, old_tree, 4);
  const auto delta = test::make_tree_delta(old_tree, new_tree);
  Tree other = old_tree;
  other.begin()->second.push_back(1);
  const auto wrong_old = test::apply_tree_delta(other, describe(new_tree), delta.bytes);
  ASSERT_FALSE(wrong_old);
  EXPECT_EQ(wrong_old.error().kind, ErrorKind::conflict);
  EXPECT_NE(wrong_old.error().message.find("old tree"), std::string::npos);
  const auto wrong_new = test::apply_tree_delta(old_tree, describe(other), delta.bytes);
  ASSERT_FALSE(wrong_new);
  EXPECT_EQ(wrong_new.error().kind, ErrorKind::conflict);
}

TEST(TreeDeltaDamage, EveryFlippedByteAndTruncationGivesAnErrorOrTheRightTree) {
  Random random(9);
  const Tree old_tree = random_tree(random, 3, 1'500);
  const Tree new_tree = edited_tree(random, old_tree, 6);
  const auto made = test::make_tree_delta(old_tree, new_tree, 2'000);
  const auto new_side = describe(new_tree);
  for (std::size_t at = 0; at < made.bytes.size(); ++at) {
    Bytes damaged = made.bytes;
    damaged[at] ^= 1 << below(random, 8);
    const auto applied = test::apply_tree_delta(old_tree, new_side, damaged);
    EXPECT_TRUE(!applied || *applied == new_tree) << at;
    EXPECT_FALSE(test::apply_tree_delta(old_tree, new_side, ByteView(made.bytes).first(at))) << at;
  }
}

// Heads that no publisher writes, each with one lie in it.
struct HostileHead : testing::Test {
  Tree old_tree = {{"a", Bytes(1000, 1)}, {"b", Bytes(2000, 2)}};
  Tree new_tree = {{"a", Bytes(1500, 3)}, {"c", Bytes(700, 4)}, {"d", Bytes(2000, 2)}};
  Described old_side = describe(old_tree), new_side = describe(new_tree);

  content::ByteWriter start(std::uint64_t groups) {
    content::ByteWriter writer;
    writer.raw(tree_identity(old_side.component.files).bytes);
    writer.raw(tree_identity(new_side.component.files).bytes);
    writer.varint(groups);
    return writer;
  }
  ErrorKind refused(content::ByteWriter& writer) {
    return refused(seal_sized(kArtifactMagic, kArtifactVersion, writer.take()));
  }
  ErrorKind refused(ByteView bytes) {
    const ReadNext next = [&](MutableByteView out) -> Result<void> {
      if (out.size() > bytes.size()) return fail(ErrorKind::metadata_invalid, "cut off");
      std::copy_n(bytes.begin(), out.size(), out.begin());
      bytes = bytes.subspan(out.size());
      return {};
    };
    const auto head = read_head(next, old_side.component.files, new_side.component.files);
    EXPECT_FALSE(head);
    return head ? ErrorKind::internal : head.error().kind;
  }
  void varints(content::ByteWriter& writer, std::initializer_list<std::uint64_t> values) {
    for (const auto value : values) writer.varint(value);
  }
};

TEST_F(HostileHead, ListsThatAreTooLong) {
  auto groups = start(kMaxGroups + 1);
  EXPECT_EQ(refused(groups), ErrorKind::metadata_invalid);
  auto slices = start(1);
  varints(slices, {kMaxSlices + 1});
  EXPECT_EQ(refused(slices), ErrorKind::metadata_invalid);
  auto huge = start(1);
  varints(huge, {~std::uint64_t{0}});
  EXPECT_EQ(refused(huge), ErrorKind::metadata_invalid);
}

TEST_F(HostileHead, SlicesBeyondTheirFilesAndTrees) {
  const std::uint64_t most = ~std::uint64_t{0};
  for (const auto& slice : std::vector<std::vector<std::uint64_t>>{{2, 0},
                                                                   {most, 0},
                                                                   {0, 1001, 0},
                                                                   {0, 1000, 1},
                                                                   {0, most, 0},
                                                                   {0, 1, most},
                                                                   {0, most, 2}}) {
    auto writer = start(1);
    writer.varint(1);
    for (const auto value : slice) writer.varint(value);
    varints(writer, {2, 0, 0, 1, 0, 10});
    EXPECT_EQ(refused(writer), ErrorKind::metadata_invalid);
  }
}

TEST_F(HostileHead, FilesMadeTwiceInPartOrWithoutNeed) {
  for (const auto& fresh :
       std::vector<std::vector<std::uint64_t>>{{1, 0, 0},              // not c
                                               {2, 0, 0, 0, 0},        // a twice
                                               {3, 0, 0, 1, 0, 1, 0},  // d, which is old b
                                               {2, 0, 1499, 0, 1, 0},  // a's last byte is missing
                                               {3, 0, 800, 0, 0, 800, 700, 1, 0},  // they overlap
                                               {0}}) {
    auto writer = start(1);
    writer.varint(0);
    for (const auto value : fresh) writer.varint(value);
    writer.varint(10);
    EXPECT_EQ(refused(writer), ErrorKind::metadata_invalid);
  }
}

TEST_F(HostileHead, SizesAndMagicThatLie) {
  auto writer = start(0);
  Bytes bytes = seal_sized(kArtifactMagic, kArtifactVersion, writer.take());
  Bytes other_magic = bytes, other_version = bytes, huge = bytes;
  other_magic[3] ^= 1;
  EXPECT_EQ(refused(other_magic), ErrorKind::metadata_invalid);
  other_version[8] = 9;
  EXPECT_EQ(refused(other_version), ErrorKind::unsupported_version);
  huge[13] = 0xFF;
  EXPECT_EQ(refused(huge), ErrorKind::too_large);
  EXPECT_EQ(refused(bytes), ErrorKind::metadata_invalid);  // makes nothing of what is to be made
}

}  // namespace
}  // namespace shoal::delta
