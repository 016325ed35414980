// A repository with its keys, the holders of others, and clients: what the tests of the key
// ceremony stand on.
#pragma once

#include <gtest/gtest.h>

#include "publish/check.hpp"
#include "publish/repository.hpp"
#include "publish/root_proposal.hpp"
#include "support/temp_dir.hpp"
#include "trust/updater.hpp"
#include "write_quickly.hpp"

namespace shoal::publish::test {

namespace fs = std::filesystem;
using shoal::test::TempDir;

inline constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};

inline Result<std::string> no_passphrase(const fs::path&) { return std::string(); }

// A repository with the keys that `init` makes, all in one folder, and keys of holders besides.
struct Ceremony : ::testing::Test {
  TempDir folder;
  fs::path repository = folder / "repository";
  WorkerPool pool{2};
  Environment environment{kNow, {}, write_quickly};

  void SetUp() override {
    KeyStore store(folder / "keys", no_passphrase);
    ASSERT_TRUE(init_repository(repository, store, true, {}, environment));
    folder.write("tree/game", std::string(5000, 'g'));
    fs::create_directories(folder / "holders");
  }
  KeyStore keys(const std::vector<std::string>& places = {"keys"}) const {
    std::vector<fs::path> paths;
    paths.reserve(places.size());
    for (const auto& place : places) paths.push_back(folder / place);
    return KeyStore(paths, no_passphrase);
  }
  fs::path file(const std::string& name) const { return folder / ("holders/" + name + ".key"); }
  trust::PublicKey make_key(const std::string& name) {
    return make_key_file(file(name), true, no_passphrase).value();
  }
  void sign(Proposal& proposal, const fs::path& key_file) {
    KeyStore store(key_file, no_passphrase);
    auto checked = check_proposal(proposal);
    ASSERT_TRUE(checked) << checked.error().describe();
    auto id = trust::key_id(read_public_key(key_file).value());
    auto opened = store.signers({{id}, 1});
    ASSERT_EQ(opened->size(), 1U);
    auto roles = sign_proposal(proposal, *checked, *opened->front());
    ASSERT_TRUE(roles) << roles.error().describe();
    // As if it had been carried away and back.
    auto again = parse_proposal(format_proposal(proposal));
    ASSERT_TRUE(again) << again.error().describe();
    proposal = *std::move(again);
  }
  Proposal propose(const RootChange& change) {
    Layout layout(repository);
    auto state = load_state(layout);
    EXPECT_TRUE(state) << state.error().describe();
    auto proposal = propose_root(layout, *state, change, environment.now,
                                 {std::chrono::days(365), std::chrono::days(90)});
    EXPECT_TRUE(proposal) << proposal.error().describe();
    return proposal.value_or(Proposal{});
  }
  Result<ApplyReport> apply(const Proposal& proposal, std::vector<std::string> places = {"keys"}) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys(places);
    return opened.apply(proposal, store);
  }
  // Root 2: alice, bob and carol, two of whom must sign.
  void three_holders() {
    RootChange change;
    for (auto name : {"alice", "bob", "carol"}) change.add.push_back({"root", make_key(name)});
    change.rotate.insert("root");
    change.thresholds["root"] = 2;
    auto proposal = propose(change);
    sign(proposal, folder / "keys/root.key");
    sign(proposal, file("alice"));
    sign(proposal, file("bob"));
    auto applied = apply(proposal);
    ASSERT_TRUE(applied) << applied.error().describe();
  }
  Result<ReleaseReport> release(const std::string& version, std::vector<std::string> places,
                                bool may_propose = false) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    auto store = keys(places);
    ReleaseRequest request;
    request.tree = folder / "tree";
    request.build.product = "game";
    request.build.version = version;
    request.may_propose = may_propose;
    return opened.release(request, store, pool);
  }
  Result<ChangeReport> delegate(const std::vector<std::string>& names, std::uint32_t threshold,
                                std::vector<std::string> places) {
    SHOAL_ASSIGN(auto opened, Repository::open(repository, environment));
    DelegateRequest request{"game", {}, threshold, true};
    for (const auto& name : names) request.keys.push_back(read_public_key(file(name)).value());
    auto store = keys(places);
    return opened.delegate(request, store);
  }

  // A client that trusts the first root, and what it keeps from one refresh to the next.
  Result<void> refresh_client(const std::string& name) {
    auto metadata = folder / ("clients/" + name);
    auto root = read_file(repository / "metadata/1.root.json", 1 << 20);
    if (!fs::exists(metadata / "root.json")) SHOAL_TRY(trust::trust_initial_root(metadata, *root));
    DirectoryFetcher fetcher(repository);
    trust::Updater client(metadata, "metadata/", "targets/", fetcher, environment.now);
    SHOAL_TRY(client.refresh());
    SHOAL_ASSIGN(auto products, client.delegated_roles());
    for (const auto& product : products) {
      SHOAL_ASSIGN(auto target, client.find_target(product + "/channels.json"));
      SHOAL_TRY(client.download_target(target));
    }
    return {};
  }
  void expect_clients_follow(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      auto refreshed = refresh_client(name);
      EXPECT_TRUE(refreshed) << name << ": " << refreshed.error().describe();
    }
    auto report = check_repository(repository, environment.now, pool);
    ASSERT_TRUE(report);
    for (const auto& finding : report->findings)
      ADD_FAILURE() << finding.path << ": " << finding.problem;
  }
};

}  // namespace shoal::publish::test
