// The pure part: next roots from what is asked, expiries, and proposal files from strangers.
#include "publish/proposal.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "publish/review.hpp"
#include "publish/root_change.hpp"

namespace shoal::publish {
namespace {

using nlohmann::json;
constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};

struct RootOfOne : ::testing::Test {
  trust::SigningKey key = trust::SigningKey::generate();
  trust::Root root;

  RootOfOne() {
    root.version = 1;
    root.expires = kNow + std::chrono::days(10);
    root.keys[key.id()] = key.public_key();
    for (auto role : kTopLevelRoles) keys_of_role(root, role) = {{key.id()}, 1};
  }
  Result<trust::Root> next(const RootChange& change) const {
    return next_root(root, change, kNow, std::chrono::days(365));
  }
  Proposal proposal() const {
    const trust::SigningKey* signer = &key;
    RootChange change;
    change.expires = kNow + std::chrono::days(20);
    Proposal out;
    out.roots = {trust::sign_root(root, {&signer, 1})};
    out.roles = {{"root", trust::signed_bytes_of(next(change).value()), {}}};
    return out;
  }
};

TEST_F(RootOfOne, AChangeThatMakesNoSenseIsRefused) {
  auto kind = [&](const RootChange& change) { return next(change).error().kind; };
  EXPECT_EQ(kind({}), ErrorKind::invalid_request);
  RootChange change;
  change.rotate = {"timestamp"};
  EXPECT_EQ(kind(change), ErrorKind::invalid_request) << "no new key";
  change = {};
  change.thresholds["root"] = 2;
  EXPECT_EQ(kind(change), ErrorKind::invalid_request) << "more than there are keys";
  change = {};
  change.add = {{"root", key.public_key()}};
  EXPECT_EQ(kind(change), ErrorKind::conflict);
  change = {};
  change.remove = {{"", "deadbeefdeadbeef"}};
  EXPECT_EQ(kind(change), ErrorKind::not_found);
  change.remove = {{"", key.id().substr(0, 4)}};
  EXPECT_EQ(kind(change), ErrorKind::invalid_request);
  change.remove = {{"root", key.id()}};
  EXPECT_EQ(kind(change), ErrorKind::invalid_request) << "the last key";
  change = {};
  change.add = {{"game", trust::SigningKey::generate().public_key()}};
  EXPECT_EQ(kind(change), ErrorKind::invalid_request) << "no top-level role";
}

TEST_F(RootOfOne, AKeyThatNoRoleHasAnyMoreIsDropped) {
  RootChange change;
  auto other = trust::SigningKey::generate();
  for (auto role : kTopLevelRoles) {
    change.rotate.insert(role);
    change.add.push_back({role, other.public_key()});
  }
  auto changed = next(change).value();
  EXPECT_EQ(changed.version, 2U);
  EXPECT_EQ(changed.keys.size(), 1U);
  EXPECT_TRUE(changed.keys.contains(other.id()));
}

TEST(Expiry, IsASpanOrADate) {
  EXPECT_EQ(parse_expiry("in 1 year", kNow), kNow + std::chrono::days(365));
  EXPECT_EQ(parse_expiry("in 2 weeks", kNow), kNow + std::chrono::days(14));
  EXPECT_EQ(format_utc(parse_expiry("2028-02-29", kNow).value()), "2028-02-29T00:00:00Z");
  for (auto bad : {"", "tomorrow", "in year", "in 0 days", "in 99 years", "in -1 days",
                   "1999-01-01", "2028-02-30", "in 1 yearss", "in 18446744073709551617 days"})
    EXPECT_EQ(parse_expiry(bad, kNow).error().kind, ErrorKind::invalid_request) << bad;
}

TEST_F(RootOfOne, AProposalSurvivesItsFile) {
  auto before = proposal();
  auto after = parse_proposal(format_proposal(before));
  ASSERT_TRUE(after) << after.error().describe();
  EXPECT_EQ(after->roots, before.roots);
  EXPECT_EQ(after->roles[0].signed_bytes, before.roles[0].signed_bytes);
  auto checked = check_proposal(*after).value();
  EXPECT_FALSE(checked.complete());
  ASSERT_TRUE(sign_proposal(*after, checked, key));
  EXPECT_TRUE(check_proposal(*after)->complete());
  EXPECT_EQ(sign_proposal(*after, checked, trust::SigningKey::generate()).error().kind,
            ErrorKind::not_allowed);
}

TEST_F(RootOfOne, CopiesSignedElsewhereAreJoinedIfTheyAreTheSameProposal) {
  auto mine = proposal(), other = proposal();
  ASSERT_TRUE(sign_proposal(other, check_proposal(other).value(), key));
  ASSERT_TRUE(merge_signatures(mine, other));
  EXPECT_TRUE(check_proposal(mine)->complete());
  RootChange change;
  change.expires = kNow + std::chrono::days(30);
  other.roles[0].signed_bytes = trust::signed_bytes_of(next(change).value());
  EXPECT_EQ(merge_signatures(mine, other).error().kind, ErrorKind::conflict);
}

TEST_F(RootOfOne, AWrongSignatureUnderAHoldersNameDoesNotStandInTheWayOfHers) {
  auto mine = proposal(), hers = proposal();
  ASSERT_TRUE(sign_proposal(hers, check_proposal(hers).value(), key));
  mine.roles[0].signatures = {{key.id(), Bytes(64, 1)}, {std::string(64, 'a'), Bytes(64, 1)}};
  keep_good_signatures(mine, check_proposal(mine).value());
  EXPECT_TRUE(mine.roles[0].signatures.empty());
  keep_good_signatures(hers, check_proposal(hers).value());
  ASSERT_TRUE(merge_signatures(mine, hers));
  EXPECT_TRUE(check_proposal(mine)->complete());
}

TEST_F(RootOfOne, ASignatureOverSomethingElseCountsForNothing) {
  auto tampered = proposal();
  ASSERT_TRUE(sign_proposal(tampered, check_proposal(tampered).value(), key));
  RootChange change;
  change.expires = kNow + std::chrono::days(21);
  tampered.roles[0].signed_bytes = trust::signed_bytes_of(next(change).value());
  EXPECT_FALSE(check_proposal(tampered)->complete());
}

TEST_F(RootOfOne, FilesFromStrangersAreRefusedWithAReason) {
  auto good = json::parse(format_proposal(proposal()));
  auto kind = [&](auto change) {
    json bad = good;
    change(bad);
    auto parsed = parse_proposal(to_bytes(bad.dump()));
    if (!parsed) return parsed.error().kind;
    auto checked = check_proposal(*parsed);
    EXPECT_FALSE(checked) << bad.dump().substr(0, 300);
    return checked ? ErrorKind::internal : checked.error().kind;
  };
  auto invalid = ErrorKind::metadata_invalid;
  EXPECT_EQ(kind([](json& p) { p["format"] = "x"; }), invalid);
  EXPECT_EQ(kind([](json& p) { p["format_version"] = 2; }), ErrorKind::unsupported_version);
  EXPECT_EQ(kind([](json& p) { p["kind"] = "product"; }), invalid);
  EXPECT_EQ(kind([](json& p) { p["roots"] = json::array(); }), invalid);
  EXPECT_EQ(kind([](json& p) { p["roots"].push_back(p["roots"][0]); }), invalid);
  EXPECT_EQ(kind([](json& p) { p["proposed"].push_back(p["proposed"][0]); }), invalid);
  EXPECT_EQ(kind([](json& p) { p["proposed"][0]["role"] = "timestamp"; }), invalid);
  EXPECT_EQ(kind([](json& p) { p["proposed"][0]["role"] = "../x"; }), invalid);
  EXPECT_EQ(kind([](json& p) { p["proposed"][0]["metadata"]["signed"]["version"] = 9; }), invalid);
  EXPECT_EQ(kind([](json& p) { p["roots"][0]["signatures"] = json::array(); }),
            ErrorKind::signature_invalid);
  EXPECT_EQ(kind([](json& p) { p["files"]["a/channels.json"] = "x"; }), invalid);
  // Canonical JSON does not escape it, so no client could read it, and no file could hold it.
  for (const char* where : {"roots", "proposed"}) {
    json bad = good;
    json& entry = bad[where][0];
    (where == std::string("roots") ? entry : entry["metadata"])["signed"]["x"] = "a\nb";
    EXPECT_EQ(parse_proposal(to_bytes(bad.dump())).error().kind, invalid) << where;
  }
  EXPECT_EQ(parse_proposal(to_bytes("{\"a\":1,\"a\":2}")).error().kind, invalid);
  EXPECT_EQ(parse_proposal(Bytes(kMaxProposalBytes + 1)).error().kind, ErrorKind::too_large);
}

TEST(Review, NothingThatComesFromAFileSteersTheTerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\xc3\xa9"), "a?[2Jb???");
}

}  // namespace
}  // namespace shoal::publish
