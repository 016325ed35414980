// Random trees under random edit scripts: whatever a release does to its tree (edits, moves, swaps,
// files that become folders, …), every update gives exactly the new tree, and whatever moved costs
// no bytes. A kill at a random step changes nothing about that.
#include "lab.hpp"

namespace shoal::install {
namespace {

constexpr int kSeeds = 8;
constexpr int kUpdatesPerSeed = 4;

class Editor {
 public:
  explicit Editor(std::uint64_t seed) : random_(seed) {}

  Tree first_tree() {
    Tree tree;
    for (int i = 0; i < 25; ++i) add_file(tree);
    tree["links/l"] = {Node::link, "../d0", false};
    return tree;
  }
  Tree edited(Tree tree) {
    for (std::size_t n = 1 + below(12); n > 0; --n) edit(tree);
    return tree;
  }
  std::size_t below(std::size_t end) { return random_() % end; }

 private:
  void edit(Tree& tree);
  void edit_bytes(std::string& bytes);
  void put(Tree& tree, const std::string& path, Node node);
  void add_file(Tree& tree) { put(tree, new_path(), file_of(bytes(), below(4) == 0)); }
  std::string new_path();
  std::string bytes();
  std::string pick(const Tree& tree);

  std::mt19937_64 random_;
};

std::string Editor::new_path() {
  std::string path;
  for (std::size_t depth = below(3); depth > 0; --depth)
    path += "d" + std::to_string(below(4)) + "/";
  return path + "d" + std::to_string(below(30));  // names that are files here are folders there
}

std::string Editor::bytes() {
  constexpr std::size_t kSizes[] = {0, 1, 100, 5'000, 16'384, 40'000, 65'536, 150'000};
  return random_text(random_, kSizes[below(std::size(kSizes))]);
}

// A path that is a folder of others, or beneath a file, replaces them.
void Editor::put(Tree& tree, const std::string& path, Node node) {
  std::erase_if(tree, [&](const auto& entry) {
    return entry.first == path || entry.first.starts_with(path + "/") ||
           path.starts_with(entry.first + "/");
  });
  tree[path] = std::move(node);
}

std::string Editor::pick(const Tree& tree) {
  auto chosen = tree.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(below(tree.size())));
  return chosen->first;
}

void Editor::edit_bytes(std::string& bytes) {
  std::size_t at = below(bytes.size() + 1);
  switch (below(3)) {
    case 0:
      bytes.insert(at, random_text(random_, 1 + below(2'000)));
      break;
    case 1:
      bytes.erase(at, below(20'000));
      break;
    case 2:
      if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] + 1);
      break;
  }
}

void Editor::edit(Tree& tree) {
  if (tree.empty()) return add_file(tree);
  auto path = pick(tree);
  Node node = tree[path];
  switch (below(10)) {
    case 0:
      return add_file(tree);
    case 1:
      tree.erase(path);
      return;
    case 2:  // move
      tree.erase(path);
      return put(tree, new_path(), node);
    case 3:  // copy
      return put(tree, new_path(), node);
    case 4:  // swap
      return std::swap(tree[path], tree[pick(tree)]);
    case 5:
      if (node.kind == Node::file) tree[path].executable = !node.executable;
      return;
    case 6:
      return put(tree, path, {Node::link, "d" + std::to_string(below(3)), false});
    case 7:
      return put(tree, path, {Node::folder, "", false});
    case 8:  // split
      if (node.kind != Node::file) return;
      put(tree, path + ".1", file_of(node.content.substr(0, node.content.size() / 2)));
      return put(tree, path, file_of(node.content.substr(node.content.size() / 2)));
    case 9:
      if (node.kind == Node::file) edit_bytes(tree[path].content);
      return;
  }
}

class RandomEdits : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomEdits, testing::Range(0, kSeeds));

TEST_P(RandomEdits, EveryUpdateGivesExactlyTheNewTree) {
  Editor editor(static_cast<std::uint64_t>(GetParam()));
  Lab lab;
  auto tree = editor.first_tree();
  ASSERT_OK(lab.change_to(release_of(tree), "c0"));
  ASSERT_EQ(difference(tree, lab.tree()), "");
  for (int n = 1; n <= kUpdatesPerSeed; ++n) {
    SCOPED_TRACE(n);
    tree = editor.edited(tree);
    auto release = release_of(tree);
    ASSERT_OK(lab.change_to(release, "c" + std::to_string(n)));
    ASSERT_EQ(difference(tree, lab.tree()), "");
    EXPECT_TRUE(lab.moved_aside.empty());
    auto report = verify(lab.library, lab.folder, lab.installed, lab.pool, lab.stop);
    ASSERT_OK(report);
    EXPECT_TRUE(report->wounds.empty());
    EXPECT_EQ(report->stamps[0], lab.installed[0].stamps);
    EXPECT_TRUE(lab.plan({release})->nothing_to_do);
  }
}

TEST_P(RandomEdits, AKillAtARandomStepLeavesTheOldTreeOrLeadsToTheNewOne) {
  Editor editor(static_cast<std::uint64_t>(GetParam()) + 1000);
  Lab lab;
  auto tree = editor.first_tree();
  ASSERT_OK(lab.change_to(release_of(tree), "c0"));
  for (int n = 1; n <= kUpdatesPerSeed; ++n) {
    SCOPED_TRACE(n);
    auto next = editor.edited(tree);
    std::vector releases = {release_of(next)};
    auto change = "c" + std::to_string(n);
    std::size_t steps_left = editor.below(20);
    Bytes journal;
    auto hook = [&](std::string_view) {
      if (steps_left-- == 0) throw Killed{};
    };
    auto whole = [&](const StepHook& step) -> Result<void> {
      if (journal.empty()) {
        SHOAL_ASSIGN(auto plan, lab.plan(releases, change));
        SHOAL_ASSIGN(auto staging, stage(lab.library, change, plan, lab.pool, lab.stop, step));
        SHOAL_TRY(lab.fetch(plan, staging, releases));
        SHOAL_ASSIGN(journal, lab.journal(plan, staging, change));
      }
      SHOAL_ASSIGN(auto outcome, roll_forward(lab.library, journal, step));
      lab.adopt(releases, outcome);
      return {};
    };
    try {
      ASSERT_OK(whole(hook));
    } catch (const Killed&) {
      if (journal.empty()) {
        ASSERT_EQ(difference(tree, lab.tree()), "");
      }
      ASSERT_OK(whole({}));
    }
    ASSERT_EQ(difference(next, lab.tree()), "");
    EXPECT_TRUE(lab.moved_aside.empty());
    tree = next;
  }
}

}  // namespace
}  // namespace shoal::install
