// What the tests of install share: trees as values, and a library in which releases made of them
// are installed and updated, with the test playing the network.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "install/commit.hpp"
#include "install/verify.hpp"
#include "support/sample_release.hpp"
#include "support/temp_dir.hpp"

namespace shoal::install {

struct Node {
  enum Kind { file, link, folder } kind = file;
  std::string content;  // bytes, or the link's target
  bool executable = false;

  bool operator==(const Node&) const = default;
};
using Tree = std::map<std::string, Node>;  // folders only where empty

void write_tree(const std::filesystem::path& root, const Tree& tree);
// A folder that does not exist is an empty tree.
Tree read_tree(const std::filesystem::path& root);
// "" when equal; otherwise which paths differ, for the failure's message.
std::string difference(const Tree& expected, const Tree& actual);
std::string random_text(std::mt19937_64& random, std::size_t size);
test::SampleRelease release_of(const Tree& tree, const test::SampleOptions& options = {});

inline Node file_of(std::string content, bool executable = false) {
  return {Node::file, std::move(content), executable};
}
// Seeded noise.
std::string noise(std::uint64_t seed, std::size_t size = 300'000);

// Thrown by a step hook, only here, to end an operation as a kill would.
struct Killed {};

class Lab {
 public:
  explicit Lab(const std::filesystem::path& library);
  Lab() : Lab(std::filesystem::path()) {}

  // Everything from the plan to the end of the commit; the installed state follows.
  Result<void> change_to(const test::SampleRelease& release, const std::string& change);
  Result<void> change_to(const std::vector<test::SampleRelease>& releases,
                         const std::string& change);

  Result<Plan> plan(const std::vector<test::SampleRelease>& releases,
                    const std::string& change = {}) const;
  // Writes what staging lacks, block by block, as the network would.
  Result<void> fetch(const Plan& plan, const Staging& staging,
                     const std::vector<test::SampleRelease>& releases);
  // From the fetched staging to the journal.
  Result<Bytes> journal(const Plan& plan, const Staging& staging, const std::string& change);
  void adopt(const std::vector<test::SampleRelease>& releases, const CommitOutcome& outcome);

  std::filesystem::path path(const std::string& name = {}) const {
    return name.empty() ? root_ / "game" : root_ / "game" / name;
  }
  std::filesystem::path root() const { return root_; }
  Tree tree() const { return read_tree(path()); }

  test::TempDir temp;
  std::filesystem::path root_;
  BeneathDir library;
  RelativePath folder = *RelativePath::parse("game");
  WorkerPool pool{2};
  StopToken stop;
  std::vector<InstalledComponent> installed;
  std::uint64_t fetched_bytes = 0;  // by the last fetch
  std::vector<std::string> moved_aside;
  StepHook hook;
};

std::vector<TargetComponent> targets_of(const std::vector<test::SampleRelease>& releases);

}  // namespace shoal::install

#define ASSERT_OK(expression)                               \
  do {                                                      \
    auto&& ok_ = (expression);                              \
    ASSERT_TRUE(ok_.has_value()) << ok_.error().describe(); \
  } while (false)
