// Trees are written to and read from the disk with the standard library alone, so that what is
// compared does not pass through the code under test.
#include "lab.hpp"

#include <fstream>

namespace shoal::install {

namespace fs = std::filesystem;

void write_tree(const fs::path& root, const Tree& tree) {
  fs::create_directories(root);
  for (const auto& [name, node] : tree) {
    auto path = root / name;
    fs::create_directories(path.parent_path());
    switch (node.kind) {
      case Node::file:
        std::ofstream(path, std::ios::binary) << node.content;
        fs::permissions(path, fs::perms(node.executable ? 0755 : 0644));
        break;
      case Node::link:
        fs::create_symlink(node.content, path);
        break;
      case Node::folder:
        fs::create_directories(path);
        break;
    }
  }
}

Tree read_tree(const fs::path& root) {
  Tree tree;
  if (!fs::exists(root)) return tree;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    auto name = entry.path().lexically_relative(root).generic_string();
    auto status = entry.symlink_status();
    if (fs::is_symlink(status))
      tree[name] = {Node::link, fs::read_symlink(entry.path()).string(), false};
    else if (fs::is_directory(status)) {
      if (fs::is_empty(entry.path())) tree[name] = {Node::folder, "", false};
    } else if (fs::is_regular_file(status)) {
      bool executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
      tree[name] = {Node::file, test::read_text(entry.path()), executable};
    } else {
      tree[name] = {Node::file, "(special)", false};
    }
  }
  return tree;
}

std::string difference(const Tree& expected, const Tree& actual) {
  std::string text;
  for (const auto& [name, node] : expected) {
    auto found = actual.find(name);
    if (found == actual.end())
      text += "lacks " + name + "; ";
    else if (found->second != node)
      text += "differs " + name + "; ";
  }
  for (const auto& [name, node] : actual)
    if (!expected.contains(name)) text += "has " + name + "; ";
  return text;
}

std::string random_text(std::mt19937_64& random, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; i += 8) {
    auto value = random();
    for (std::size_t k = i; k < std::min(i + 8, size); ++k, value >>= 8)
      text[k] = static_cast<char>(value);
  }
  return text;
}

std::string noise(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  return random_text(random, size);
}

test::SampleRelease release_of(const Tree& tree, const test::SampleOptions& options) {
  test::TempDir temp;
  write_tree(temp.path(), tree);
  return test::make_sample_release(temp.path(), options);
}

std::vector<TargetComponent> targets_of(const std::vector<test::SampleRelease>& releases) {
  std::vector<TargetComponent> targets;
  for (const auto& release : releases)
    targets.push_back({release.component, release.recipes, release.piece_hashes, release.index});
  return targets;
}

Lab::Lab(const fs::path& given)
    : root_(given.empty() ? temp.path() : given), library(BeneathDir::open(root_).value()) {}

Result<Plan> Lab::plan(const std::vector<test::SampleRelease>& releases,
                       const std::string& change) const {
  return make_plan(library, folder, installed, targets_of(releases), stop, change);
}

Result<void> Lab::fetch(const Plan& plan, const Staging& staging,
                        const std::vector<test::SampleRelease>& releases) {
  fetched_bytes = 0;
  for (std::size_t c = 0; c < plan.components.size(); ++c) {
    const auto& staged = staging.components[c];
    for (std::uint32_t p = 0; p < staged.have.size(); ++p) {
      PieceIndex piece(p);
      if (staged.have.has(piece)) continue;
      auto bytes = releases[c].piece(piece);
      auto partial = staged.partial.find(piece);
      for (std::size_t b = 0; b < bytes.size() / content::kBlockSize; ++b) {
        if (partial != staged.partial.end() && partial->second[b]) continue;
        SHOAL_TRY(staged.image->write(p * bytes.size() + b * content::kBlockSize,
                                      bytes.subspan(b * content::kBlockSize, content::kBlockSize)));
        fetched_bytes += content::kBlockSize;
      }
    }
  }
  return {};
}

Result<Bytes> Lab::journal(const Plan& plan, const Staging& staging, const std::string& change) {
  SHOAL_ASSIGN(auto damage, verify_staged(library, plan, staging, pool, stop));
  if (!damage.empty())
    return fail(ErrorKind::verification_failed, plan.components[damage[0].component]
                                                    .target.component->files[damage[0].file.value()]
                                                    .path.text());
  return prepare_commit(library, plan, staging, change);
}

void Lab::adopt(const std::vector<test::SampleRelease>& releases, const CommitOutcome& outcome) {
  installed.clear();
  for (std::size_t c = 0; c < releases.size(); ++c)
    installed.push_back({releases[c].component, releases[c].recipes, outcome.stamps[c]});
  moved_aside = outcome.moved_aside;
}

Result<void> Lab::change_to(const test::SampleRelease& release, const std::string& change) {
  return change_to(std::vector{release}, change);
}

Result<void> Lab::change_to(const std::vector<test::SampleRelease>& releases,
                            const std::string& change) {
  SHOAL_ASSIGN(auto plan_made, plan(releases, change));
  SHOAL_ASSIGN(auto staging, stage(library, change, plan_made, pool, stop, hook));
  SHOAL_TRY(fetch(plan_made, staging, releases));
  SHOAL_ASSIGN(auto bytes, journal(plan_made, staging, change));
  SHOAL_ASSIGN(auto outcome, roll_forward(library, bytes, hook));
  adopt(releases, outcome);
  return {};
}

}  // namespace shoal::install
