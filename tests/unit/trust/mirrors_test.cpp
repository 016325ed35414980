// Which mirror is asked, how often, and what is said where none gives what is accepted.
#include "trust/mirrors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal::trust {
namespace {

using K = ErrorKind;
using ::testing::ElementsAre;

// Each mirror answers every path with the same.
struct FixedMirrors final : Fetcher {
  std::vector<Result<Bytes>> answers;
  std::vector<std::uint32_t> asked;
  std::chrono::milliseconds all{}, takes{};
  Result<Bytes> fetch(std::uint32_t mirror, const std::string&, std::uint64_t) override {
    asked.push_back(mirror);
    all += takes;
    return answers.at(mirror);
  }
  std::uint32_t mirrors() const override { return static_cast<std::uint32_t>(answers.size()); }
  std::chrono::milliseconds spent() const override { return all; }
};

Result<Bytes> gives(std::string_view text) { return to_bytes(text); }
Result<Bytes> fails(K kind) { return fail(kind, "so it is"); }

struct MirrorsTest : ::testing::Test {
  FixedMirrors web;

  static Result<void> accept_good(ByteView bytes) {
    if (as_text(bytes) == "good") return {};
    return fail(K::signature_invalid, "it says " + std::string(as_text(bytes)));
  }
  Result<Bytes> fetch(std::vector<Result<Bytes>> answers) {
    web.answers = std::move(answers);
    return Mirrors(web, {}).fetch("file", 10, accept_good);
  }
  Result<Bytes> fetch_if_there(std::vector<Result<Bytes>> answers) {
    web.answers = std::move(answers);
    return Mirrors(web, {}).fetch_if_there("file", 10, accept_good);
  }
};

TEST_F(MirrorsTest, EachIsAskedOnceUntilOneGivesWhatIsAccepted) {
  EXPECT_EQ(fetch({fails(K::network), gives("bad"), fails(K::not_found), gives("good")}).value(),
            to_bytes("good"));
  EXPECT_THAT(web.asked, ElementsAre(0, 1, 2, 3));
}

TEST_F(MirrorsTest, TheOneThatWasAcceptedIsAskedFirstTheNextTime) {
  web.answers = {gives("bad"), gives("good"), gives("good")};
  Mirrors mirrors(web, {});
  ASSERT_TRUE(mirrors.fetch("file", 10, accept_good));
  EXPECT_EQ(mirrors.accepted(), 1U);
  ASSERT_TRUE(mirrors.fetch("other", 10, accept_good));
  EXPECT_THAT(web.asked, ElementsAre(0, 1, 1));
  web.answers[1] = web.answers[2] = gives("bad");
  web.answers[0] = gives("good");
  ASSERT_TRUE(mirrors.fetch("file", 10, accept_good));
  EXPECT_THAT(web.asked, ElementsAre(0, 1, 1, 1, 2, 0));
}

// It may be truthful, and still keep a client from a release of many files.
TEST_F(MirrorsTest, AfterOneThatWasSlowTheNextIsAskedFirst) {
  web.answers = {gives("good"), gives("good")};
  Mirrors mirrors(web, {});
  web.takes = std::chrono::seconds(10);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mirrors.fetch("file", 10, accept_good));
  EXPECT_THAT(web.asked, ElementsAre(0, 1, 0));
  EXPECT_EQ(mirrors.accepted(), 0U);
  auto rank = [](ByteView) { return std::uint64_t{1}; };
  ASSERT_TRUE(mirrors.fetch_newest("file", 10, rank, accept_good));
  EXPECT_EQ(mirrors.accepted(), 1U);
  web.asked.clear();
  web.takes = std::chrono::milliseconds(9999);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(mirrors.fetch("file", 10, accept_good));
  EXPECT_THAT(web.asked, ElementsAre(0, 0, 0));
}

TEST_F(MirrorsTest, NoMoreAreAskedThanTheLimitSays) {
  std::vector<Result<Bytes>> answers(Limits{}.mirrors_asked, gives("bad"));
  answers.push_back(gives("good"));
  EXPECT_EQ(fetch(answers).error().kind, K::signature_invalid);
}

TEST_F(MirrorsTest, OfFailuresARefusalIsToldFirstThenAbsenceThenTrouble) {
  EXPECT_EQ(fetch({fails(K::network), fails(K::not_found), gives("bad")}).error().kind,
            K::signature_invalid);
  EXPECT_EQ(fetch({fails(K::not_found), fails(K::too_large)}).error().kind, K::too_large);
  EXPECT_EQ(fetch({fails(K::network_timeout), fails(K::not_found)}).error().kind, K::not_found);
  EXPECT_EQ(fetch({fails(K::network_timeout), fails(K::network)}).error().kind, K::network_timeout);
  EXPECT_EQ(fetch({gives("worse"), gives("bad")}).error().message, "it says worse");
}

TEST_F(MirrorsTest, MoreThanWasAskedForIsNotEvenLookedAt) {
  EXPECT_EQ(fetch({gives("goodgoodgood")}).error().kind, K::too_large);
}

TEST_F(MirrorsTest, OfAFileThatNeedNotBeThereOneThatSaysSoIsBelieved) {
  for (auto& bad : {gives("bad"), fails(K::too_large), fails(K::network)}) {
    EXPECT_EQ(fetch_if_there({bad, fails(K::not_found)}).error().kind, K::not_found);
    EXPECT_EQ(fetch_if_there({fails(K::not_found), bad}).error().kind, K::not_found);
  }
  EXPECT_EQ(fetch_if_there({fails(K::not_found), gives("good")}).value(), to_bytes("good"));
  EXPECT_EQ(fetch_if_there({fails(K::network), gives("bad")}).error().kind, K::signature_invalid);
}

TEST_F(MirrorsTest, OfAFileThatChangesTheNewestIsTaken) {
  auto rank = [](ByteView bytes) { return static_cast<std::uint64_t>(bytes.back()); };
  auto accept = [](ByteView bytes) -> Result<void> {
    if (as_text(bytes).starts_with("good")) return {};
    return fail(K::signature_invalid, "it says " + std::string(as_text(bytes)));
  };
  auto fetch_newest = [&](std::vector<Result<Bytes>> answers) {
    web.answers = std::move(answers);
    web.asked.clear();
    Mirrors mirrors(web, {});
    auto bytes = mirrors.fetch_newest("file", 10, rank, accept);
    return std::pair(bytes ? std::string(as_text(*bytes)) : bytes.error().message,
                     mirrors.accepted());
  };
  EXPECT_EQ(fetch_newest({gives("good 1"), gives("bad 9"), gives("good 3"), gives("good 3")}),
            std::pair(std::string("good 3"), 2U));
  EXPECT_THAT(web.asked, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(fetch_newest({fails(K::network), gives("bad 1"), gives("bad 2")}).first,
            "it says bad 2");
  EXPECT_EQ(fetch_newest({gives("much too long for it")}).first, "file: more than 10 bytes");
  EXPECT_EQ(fetch_newest({fails(K::not_found), fails(K::network)}).first, "so it is");
}

TEST_F(MirrorsTest, WhoIsToldToStopAsksNoMore) {
  EXPECT_EQ(fetch({gives("bad"), fails(K::cancelled), gives("good")}).error().kind, K::cancelled);
  EXPECT_EQ(fetch_if_there({fails(K::cancelled), fails(K::not_found)}).error().kind, K::cancelled);
  EXPECT_THAT(web.asked, ElementsAre(0, 1, 0));
}

}  // namespace
}  // namespace shoal::trust
