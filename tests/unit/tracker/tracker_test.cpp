// The tracker's answers as bytes, and the list of torrents it serves.
#include "tracker/tracker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.hpp"
#include "content/bencode.hpp"
#include "support/temp_dir.hpp"

namespace shoal::tracker {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct ManualClock final : Clock {
  UtcSeconds now() const override { return {}; }
  SteadyMs steady() const override { return time; }
  SteadyMs time{0};
};

constexpr const char* kA = "aaaaaaaaaaaaaaaaaaaa";
constexpr const char* kB = "bbbbbbbbbbbbbbbbbbbb";

class TrackerTest : public ::testing::Test {
 protected:
  http::Response get(const std::string& path, const std::string& query,
                     const std::string& from = "10.0.0.1") {
    http::Request request;
    request.method = "GET";
    request.path = path;
    request.raw_query = query;
    request.peer.address = from;
    return tracker_->answer(request);
  }
  std::string announce(const std::string& hash, const std::string& from,
                       const std::string& more = "") {
    auto id = "id-of-" + from + std::string(20, '.');
    return get("/announce", "info_hash=" + hash + "&port=258&peer_id=" + id.substr(0, 20) + more,
               from)
        .body;
  }
  void serve(AllowList::Sources sources) {
    allowed_ = std::make_unique<AllowList>(std::move(sources));
    tracker_ = std::make_unique<Tracker>(RegistryLimits{}, clock_, *allowed_, 1);
  }

  shoal::test::TempDir dir_;
  ManualClock clock_;
  std::unique_ptr<AllowList> allowed_;
  std::unique_ptr<Tracker> tracker_;
};

TEST_F(TrackerTest, AnswersCompactlyInBothFamilies) {
  serve({.open = true});
  EXPECT_EQ(announce(kA, "10.0.0.1"),
            "d8:completei0e10:downloadedi0e10:incompletei1e8:intervali30e12:min intervali30e"
            "5:peers0:e");
  announce(kA, "2001:db8::1", "&left=0");
  EXPECT_EQ(announce(kA, "10.0.0.2"),
            "d8:completei1e10:downloadedi0e10:incompletei2e8:intervali30e12:min intervali30e"
            "5:peers6:" +
                std::string("\x0a\x00\x00\x01\x01\x02", 6) + "6:peers618:" +
                std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02", 18) + "e");
}

TEST_F(TrackerTest, AnswersWithDictionariesWhenAsked) {
  serve({.open = true});
  announce(kA, "10.0.0.1");
  EXPECT_THAT(announce(kA, "10.0.0.2", "&compact=0"),
              HasSubstr("5:peersld2:ip8:10.0.0.17:peer id20:id-of-10.0.0.1......4:porti258eee"));
  EXPECT_THAT(announce(kA, "10.0.0.3", "&compact=0&no_peer_id=1&numwant=1"),
              HasSubstr("4:porti258eee"));
}

TEST_F(TrackerTest, EveryAnswerIsStrictlyBencoded) {
  serve({.open = true});
  for (int i = 1; i < 20; ++i) {
    auto body = announce(kA, "10.0.0." + std::to_string(i), i % 2 == 0 ? "&compact=0" : "");
    EXPECT_TRUE(content::parse_bencode(as_bytes(body))) << body;
  }
  auto scrape = get("/scrape", std::string("info_hash=") + kB + "&info_hash=" + kA).body;
  EXPECT_TRUE(content::parse_bencode(as_bytes(scrape))) << scrape;
}

TEST_F(TrackerTest, ScrapesSeveralTorrentsAtOnce) {
  serve({.open = true});
  announce(kA, "10.0.0.1", "&left=0");
  announce(kB, "10.0.0.1", "&left=1");
  announce(kB, "10.0.0.1", "&left=0&event=completed");
  auto query = std::string("info_hash=") + kB + "&info_hash=" + kA + "&info_hash=" + kA;
  EXPECT_EQ(get("/scrape", query).body,
            std::string("d5:filesd20:") + kA +
                "d8:completei1e10:downloadedi0e10:incompletei0ee20:" + kB +
                "d8:completei1e10:downloadedi1e10:incompletei0eeee");
}

TEST_F(TrackerTest, RefusalsAreFailureReasonsWithStatus200) {
  serve({.open = true});
  for (const char* path : {"/announce", "/scrape"}) {
    auto response = get(path, "info_hash=x");
    EXPECT_EQ(response.status, 200);
    EXPECT_THAT(response.body, StartsWith("d14:failure reason"));
  }
  EXPECT_EQ(get("/other", "").status, 404);
  http::Request post;
  post.method = "POST";
  post.path = "/announce";
  EXPECT_EQ(tracker_->answer(post).status, 405);
}

TEST_F(TrackerTest, ServesOnlyTheTorrentsOnItsList) {
  auto file = dir_.write("allow", "# games\n\n  " + to_hex(as_bytes(kA)) + " # the first\r\n" +
                                      std::string(64, 'c') + "\n");
  serve({.file = file});
  ASSERT_TRUE(allowed_->read_file());
  EXPECT_EQ(allowed_->size(), 2u);
  EXPECT_THAT(announce(kA, "10.0.0.1"), StartsWith("d8:complete"));
  EXPECT_THAT(announce(kB, "10.0.0.1"), HasSubstr("does not serve"));
  EXPECT_THAT(get("/scrape", std::string("info_hash=") + kB).body, HasSubstr("does not serve"));
  std::string v2;
  for (int i = 0; i < 20; ++i) v2 += "%cc";
  EXPECT_THAT(announce(v2, "10.0.0.1"), StartsWith("d8:complete")) << "truncated (BEP 52)";

  dir_.write("allow", to_hex(as_bytes(kB)));
  ASSERT_TRUE(allowed_->read_file());
  tracker_->tidy();
  EXPECT_THAT(announce(kA, "10.0.0.1"), HasSubstr("does not serve"));
  EXPECT_THAT(announce(kB, "10.0.0.1"), StartsWith("d8:complete"));
  EXPECT_THAT(get("/status", "").body, HasSubstr(R"("torrents":1,"listed":1,)"));
}

TEST_F(TrackerTest, ABadListIsRefusedByLineAndTheEarlierKept) {
  auto file = dir_.write("allow", to_hex(as_bytes(kA)));
  serve({.file = file});
  ASSERT_TRUE(allowed_->read_file());
  dir_.write("allow", to_hex(as_bytes(kB)) + "\nnonsense\n");
  auto read = allowed_->read_file();
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("line 2"));
  EXPECT_THAT(announce(kA, "10.0.0.1"), StartsWith("d8:complete"));
  serve({.file = dir_ / "absent"});
  EXPECT_EQ(allowed_->read_file().error().kind, ErrorKind::not_found);
}

TEST_F(TrackerTest, FindsTheTorrentsOfARepository) {
  const std::string v1_info =
      "d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:" + std::string(20, 'p') + "e";
  const std::string v2_info = "d9:file treede12:meta versioni2e4:name1:ae";
  dir_.write("targets/game/1.torrent", "d4:info" + v1_info + "e");
  dir_.write("targets/game/2.torrent", "d8:announce1:x4:info" + v2_info + "e");
  dir_.write("targets/broken.torrent", "d4:infoi1ee");
  dir_.write("targets/other.json", "{}");
  std::filesystem::create_symlink(dir_ / "targets/game/1.torrent", dir_ / "link.torrent");
  serve({.repository = dir_.path()});
  auto problems = allowed_->read_repository();
  ASSERT_TRUE(problems);
  ASSERT_EQ(problems->size(), 1u);
  EXPECT_THAT((*problems)[0].message, HasSubstr("broken.torrent"));
  EXPECT_EQ(allowed_->size(), 2u);
  EXPECT_TRUE(allowed_->allows(sha1(as_bytes(v1_info))));
  InfoHash v2{};
  std::copy_n(sha256(as_bytes(v2_info)).bytes.begin(), 20, v2.begin());
  EXPECT_TRUE(allowed_->allows(v2));
  EXPECT_TRUE(allowed_->read_repository()->empty()) << "a broken file is named once";

  std::filesystem::remove(dir_ / "targets/game/2.torrent");
  ASSERT_TRUE(allowed_->read_repository());
  EXPECT_FALSE(allowed_->allows(v2));
  std::filesystem::remove_all(dir_ / "targets");
  std::filesystem::rename(dir_.path(), dir_.path().native() + ".away");
  EXPECT_FALSE(allowed_->read_repository());
  EXPECT_TRUE(allowed_->allows(sha1(as_bytes(v1_info)))) << "the earlier list stays";
  std::filesystem::rename(dir_.path().native() + ".away", dir_.path());
}

TEST_F(TrackerTest, AHybridHasTwoInfoHashes) {
  const std::string info = "d12:meta versioni2e6:pieces20:" + std::string(20, 'p') + "e";
  EXPECT_EQ(info_hashes_of_torrent(as_bytes("d4:info" + info + "e"))->size(), 2u);
  EXPECT_FALSE(info_hashes_of_torrent(as_bytes("d4:infod4:name1:aee")));
  EXPECT_FALSE(info_hashes_of_torrent(as_bytes("")));
}

TEST_F(TrackerTest, StatusCounts) {
  serve({.open = true});
  announce(kA, "10.0.0.1", "&left=0");
  announce(kA, "10.0.0.2");
  get("/scrape", "");
  clock_.time = std::chrono::seconds(7);
  EXPECT_EQ(get("/status", "").body,
            "{\"torrents\":1,\"listed\":0,\"seeds\":1,\"leechers\":1,\"completed\":0,"
            "\"announces\":2,\"scrapes\":1,\"refused\":1,\"uptime_seconds\":7}\n");
}

}  // namespace
}  // namespace shoal::tracker
