// Attacks on the file of one role, each run on every role of a repository, top-level or delegated,
// with consistent snapshots and without. Each row: the client trusts version 5, an honest version 6
// is published, and then its file is replaced. It must be refused with the right kind, in words
// that name the role; nothing on the disk may change for that role; and version 7 must be accepted.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "world.hpp"

namespace shoal::trust::test {
namespace {

using nlohmann::json;
using K = ErrorKind;

struct Attack {
  std::string name;
  K kind;
  std::function<void(World&, const std::string& role)> replace;
  std::string not_on;  // a role on which it is no attack
};

Attack with_signed(std::string name, K kind, World::Change change, std::string not_on = {}) {
  return {std::move(name), kind,
          [change](World& world, const std::string& role) { world.change_signed(role, change); },
          std::move(not_on)};
}

Attack with_document(std::string name, K kind, World::Change change) {
  return {std::move(name),
          kind,
          [change](World& world, const std::string& role) { world.change_document(role, change); },
          {}};
}

Attack with_bytes(std::string name, K kind, std::function<void(Bytes&)> change) {
  return {std::move(name),
          kind,
          [change](World& world, const std::string& role) { change(world.file(role)); },
          {}};
}

Attack with_member(std::string name, K kind, std::string member, json value,
                   std::string not_on = {}) {
  return with_signed(
      std::move(name), kind, [member, value](json& body) { body[member] = value; },
      std::move(not_on));
}

void sign_with_the_keys_of(World& world, const std::string& role, const std::string& other) {
  world.change_document(role, [&](json& document) {
    document["signatures"] = json::array();
    for (const auto& key : world.repository.keys.at(other))
      document["signatures"].push_back(signature_of(document["signed"], key));
  });
}

std::vector<Attack> attacks_on_what_is_signed() {
  return {
      with_member("rollback_to_an_older_version", K::metadata_rollback, "version", 4),
      with_member("a_version_nobody_promised", K::metadata_invalid, "version", 99, "timestamp"),
      with_member("version_zero", K::metadata_invalid, "version", 0),
      with_member("version_negative", K::metadata_invalid, "version", -6),
      with_member("version_a_fraction", K::metadata_invalid, "version", 6.0),
      with_member("version_a_text", K::metadata_invalid, "version", "6"),
      with_member("version_beyond_2_to_53", K::metadata_invalid, "version", 1ULL << 53),
      with_member("frozen_since_now", K::metadata_expired, "expires", "2027-01-15T08:00:00Z"),
      with_member("frozen_for_years", K::metadata_expired, "expires", "1999-12-31T23:59:59Z"),
      with_member("expiry_no_date", K::metadata_invalid, "expires", "2030-02-30T00:00:00Z"),
      with_member("expiry_with_an_offset", K::metadata_invalid, "expires",
                  "2030-01-01T00:00:00+00:00"),
      with_member("the_type_of_another_role", K::metadata_invalid, "_type", "mirrors"),
      with_member("spec_version_2", K::unsupported_version, "spec_version", "2.0.0"),
      with_member("spec_version_10", K::unsupported_version, "spec_version", "10.0.0"),
      with_member("spec_version_of_letters", K::unsupported_version, "spec_version", "1.x"),
      with_member("spec_version_a_number", K::metadata_invalid, "spec_version", 1),
      with_signed("no_expiry", K::metadata_invalid, [](json& body) { body.erase("expires"); }),
      with_signed("no_version", K::metadata_invalid, [](json& body) { body.erase("version"); }),
      with_signed("no_spec_version", K::metadata_invalid,
                  [](json& body) { body.erase("spec_version"); }),
  };
}

std::vector<Attack> attacks_on_signatures() {
  std::vector<Attack> rows = {
      with_document("unsigned", K::signature_invalid,
                    [](json& document) { document["signatures"] = json::array(); }),
      with_document("changed_after_signing", K::signature_invalid,
                    [](json& document) { document["signed"]["x"] = "y"; }),
      with_document("signature_no_hexadecimal", K::signature_invalid,
                    [](json& document) { document["signatures"][0]["sig"] = "zz"; }),
      with_document("signature_cut_short", K::signature_invalid,
                    [](json& document) { document["signatures"][0]["sig"] = "00"; }),
      with_document(
          "signature_very_long", K::metadata_invalid,
          [](json& document) { document["signatures"][0]["sig"] = std::string(20'000, '0'); }),
      with_document(
          "the_same_signature_twice", K::metadata_invalid,
          [](json& document) { document["signatures"].push_back(document["signatures"][0]); }),
      with_document("signatures_no_list", K::metadata_invalid,
                    [](json& document) { document["signatures"] = json::object(); }),
  };
  rows.push_back({"signed_by_a_stranger",
                  K::signature_invalid,
                  [](World& world, const std::string& role) {
                    world.repository.keys["stranger"] = {SigningKey::generate()};
                    sign_with_the_keys_of(world, role, "stranger");
                  },
                  {}});
  for (std::string other : kEveryRole)
    rows.push_back({"signed_with_the_keys_of_" + other, K::signature_invalid,
                    [other](World& world, const std::string& role) {
                      sign_with_the_keys_of(world, role, other);
                    },
                    other});
  return rows;
}

std::vector<Attack> attacks_on_the_file() {
  constexpr int kManySignatures = 100'000;
  return {
      with_bytes("a_hundred_thousand_signatures", K::too_large,
                 [](Bytes& bytes) {
                   const std::string text(as_text(bytes));
                   const std::string begin = R"({"signatures":[)";
                   ASSERT_TRUE(text.starts_with(begin));
                   std::string many = begin;
                   for (int i = 0; i < kManySignatures; ++i)
                     many += R"({"keyid":")" + std::to_string(i) + R"(","sig":"00"},)";
                   bytes = to_bytes(many + text.substr(begin.size()));
                 }),
      with_bytes("empty", K::metadata_invalid, [](Bytes& bytes) { bytes.clear(); }),
      with_bytes("cut_in_half", K::metadata_invalid,
                 [](Bytes& bytes) { bytes.resize(bytes.size() / 2); }),
      with_bytes("bottomless_nesting", K::metadata_invalid,
                 [](Bytes& bytes) { bytes = to_bytes(std::string(60'000, '[')); }),
      with_bytes("endless_data", K::too_large,
                 [](Bytes& bytes) { bytes.resize((16 << 20) + 1, ' '); }),
      with_bytes("a_member_named_twice", K::metadata_invalid,
                 [](Bytes& bytes) {
                   std::string text(as_text(bytes));
                   bytes = to_bytes("{\"signed\":{}," + text.substr(1));
                 }),
  };
}

std::vector<Attack> attacks() {
  auto rows = attacks_on_what_is_signed();
  for (auto more : {attacks_on_signatures, attacks_on_the_file})
    std::ranges::move(more(), std::back_inserter(rows));
  return rows;
}

// Each also as the daemon asks: for news first.
struct RoleFile : ::testing::TestWithParam<std::tuple<const char*, bool, bool>> {
  std::string role = std::get<0>(GetParam());

  static World world() {
    World world(std::get<1>(GetParam()));
    world.asks_for_news = std::get<2>(GetParam());
    return world;
  }
};

INSTANTIATE_TEST_SUITE_P(Each, RoleFile,
                         ::testing::Combine(::testing::ValuesIn(kEveryRole), ::testing::Bool(),
                                            ::testing::Bool()),
                         [](const auto& row) {
                           return std::string(std::get<0>(row.param)) +
                                  (std::get<1>(row.param) ? "_consistent" : "_plain") +
                                  (std::get<2>(row.param) ? "_news" : "");
                         });

TEST_P(RoleFile, EveryAttackIsRefusedNamedAndRecoveredFrom) {
  for (const auto& attack : attacks()) {
    if (attack.not_on == role) continue;
    SCOPED_TRACE(attack.name);
    World world = RoleFile::world();
    auto first = world.update();
    ASSERT_TRUE(first.has_value()) << first.error().describe();
    world.advance();
    attack.replace(world, role);
    auto refused = world.update();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, attack.kind) << refused.error().describe();
    EXPECT_NE(refused.error().message.find(role), std::string::npos) << refused.error().describe();
    EXPECT_FALSE(refused.error().remedy_or_default().empty());
    // An expired root may be one on the way to a newer one, so it is kept (5.3.6).
    if (role != "root" || attack.kind != K::metadata_expired) {
      EXPECT_EQ(world.disk.version_of(role), 5);
    }

    if (role == "root") world.repository.publish_root();  // version 6 as it was meant to be
    world.advance();
    auto honest = world.update();
    ASSERT_TRUE(honest.has_value()) << honest.error().describe();
    EXPECT_EQ(world.disk.files[role + ".json"], world.file(role));
  }
}

TEST_P(RoleFile, UnknownMembersAndForeignSignaturesAreKeptAndDoNoHarm) {
  World world = RoleFile::world();
  world.advance();
  world.change_signed(role, [](json& body) {
    body["x-future"] = {{"nested", {1, 2, nullptr, true}}};
    body["spec_version"] = "1.99.7";
  });
  world.change_document(role, [](json& document) {
    document["x-beside"] = 1.5;  // not signed, so not canonical
    document["signatures"].push_back({{"keyid", "stranger"}, {"sig", "00"}, {"x", 1}});
  });
  auto done = world.update();
  ASSERT_TRUE(done.has_value()) << done.error().describe();
  EXPECT_EQ(world.disk.files[role + ".json"], world.file(role));
}

TEST_P(RoleFile, EndlessDataIsCutAlsoWhenTheFetcherLetsItThrough) {
  World world = RoleFile::world();
  world.advance();
  world.repository.ignores_limit = true;
  world.file(role).resize((16 << 20) + 1, ' ');
  auto refused = world.update();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, K::too_large);
}

}  // namespace
}  // namespace shoal::trust::test
