// The record of the new tree: everything that a manifest says comes back, and nothing else can.
#include "delta/tree_record.hpp"

#include "trees.hpp"

namespace shoal::delta {
namespace {

using namespace test;
using content::Component;

RelativePath path(std::string_view text) { return RelativePath::parse(text).value(); }

Result<TreeRecord> read(ByteView bytes, const Component& old_tree) {
  const ReadNext next = [&](MutableByteView out) -> Result<void> {
    if (out.size() > bytes.size()) return fail(ErrorKind::metadata_invalid, "cut off");
    std::copy_n(bytes.begin(), out.size(), out.begin());
    bytes = bytes.subspan(out.size());
    return {};
  };
  return read_tree_record(next, old_tree);
}

// All but the roots, of which made files have the first bytes.
void expect_same(const TreeRecord& record, const Component& old_tree, const Component& b) {
  const auto& a = record.tree;
  ASSERT_EQ(a.files.size(), b.files.size());
  ASSERT_EQ(record.root_starts.size(), b.files.size());
  const auto origins = match_trees(old_tree.files, b.files);
  ASSERT_EQ(record.origins.size(), origins.size());
  for (std::size_t i = 0; i < a.files.size(); ++i) {
    EXPECT_EQ(a.files[i].path, b.files[i].path);
    EXPECT_EQ(a.files[i].size, b.files[i].size);
    EXPECT_EQ(a.files[i].executable, b.files[i].executable);
    EXPECT_EQ(record.origins[i].kind, origins[i].kind);
    EXPECT_EQ(record.origins[i].source, origins[i].source);
    if (origins[i].kind != Origin::Kind::made) continue;
    const auto& start = record.root_starts[i];
    EXPECT_TRUE(std::equal(start.begin(), start.end(), b.files[i].root.bytes.begin()));
  }
  ASSERT_EQ(a.symlinks.size(), b.symlinks.size());
  for (std::size_t i = 0; i < a.symlinks.size(); ++i) {
    EXPECT_EQ(a.symlinks[i].path, b.symlinks[i].path);
    EXPECT_EQ(a.symlinks[i].target, b.symlinks[i].target);
  }
  EXPECT_EQ(a.directories, b.directories);
}

Component sample(Random& random, Tree tree) {
  Component component = describe(tree).component;
  for (auto& file : component.files) file.executable = below(random, 3) == 0;
  component.symlinks = {{path("link"), "d0/f0"}, {path("linked"), "link"}};
  component.directories = {path("void/a"), path("void/b")};
  return component;
}

TEST(TreeRecord, EverythingComesBack) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Tree old_tree = random_tree(random, below(random, 10), 200);
    const auto old_component = sample(random, old_tree);
    const auto component = sample(random, edited_tree(random, old_tree, 8));
    const auto back = read(format_tree_record(old_component, component), old_component);
    ASSERT_TRUE(back) << back.error().describe();
    expect_same(*back, old_component, component);
  }
}

TEST(TreeRecord, FilesThatStayCostNothing) {
  Random random(1);
  const auto tree = describe(random_tree(random, 5000, 100)).component;
  EXPECT_LT(format_tree_record(tree, tree).size(), 120U);
}

TEST(TreeRecord, AnotherOldTreeIsRefusedAndSaidSo) {
  Random random(2);
  const auto tree = describe(random_tree(random, 5, 100)).component;
  const auto other = describe(random_tree(random, 6, 100)).component;
  const auto back = read(format_tree_record(tree, tree), other);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().kind, ErrorKind::conflict);
}

TEST(TreeRecord, EveryFlippedByteAndTruncationGivesAnErrorOrTheRightTree) {
  Random random(3);
  const Tree old_tree = random_tree(random, 6, 100);
  const auto old_component = sample(random, old_tree);
  const auto component = sample(random, edited_tree(random, old_tree, 8));
  const Bytes record = format_tree_record(old_component, component);
  for (std::size_t at = 0; at < record.size(); ++at) {
    Bytes damaged = record;
    damaged[at] ^= 1 << below(random, 8);
    if (const auto back = read(damaged, old_component))
      expect_same(*back, old_component, component);
    EXPECT_FALSE(read(ByteView(record).first(at), old_component)) << at;
  }
}

}  // namespace
}  // namespace shoal::delta
