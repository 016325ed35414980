// Announce and scrape queries: what clients send, and what strangers send.
#include "tracker/announce.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace shoal::tracker {
namespace {

using ::testing::HasSubstr;

const std::string kHash = "info_hash=%00%01%02%03%04%05%06%07%08%09abcdefghij";
const std::string kGood = kHash + "&peer_id=-XX0001-123456789012&port=6881";

TEST(Announce, UnderstandsWhatClientsSend) {
  auto parsed = parse_announce(kGood +
                               "&uploaded=0&downloaded=0&left=5&corrupt=0&key=1A2B&event=started"
                               "&numwant=80&compact=1&no_peer_id=1&supportcrypto=1&ip=10.0.0.1");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->info_hash[1], 1);
  EXPECT_EQ(parsed->info_hash[19], 'j');
  EXPECT_EQ(parsed->peer_id[0], '-');
  EXPECT_EQ(parsed->port, 6881);
  EXPECT_FALSE(parsed->is_seed);
  EXPECT_EQ(parsed->event, Event::started);
  EXPECT_EQ(parsed->wanted, 80u);
  EXPECT_TRUE(parsed->compact);
  EXPECT_TRUE(parsed->no_peer_id);
}

TEST(Announce, FillsInWhatIsOptional) {
  auto parsed = parse_announce(kGood);
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->is_seed);
  EXPECT_EQ(parsed->event, Event::none);
  EXPECT_EQ(parsed->wanted, kDefaultWanted);
  EXPECT_TRUE(parsed->compact);
  EXPECT_TRUE(parse_announce(kGood + "&left=0")->is_seed);
  EXPECT_FALSE(parse_announce(kGood + "&compact=0")->compact);
  EXPECT_EQ(parse_announce(kGood + "&event=completed")->event, Event::completed);
  EXPECT_EQ(parse_announce(kGood + "&event=stopped")->event, Event::stopped);
  EXPECT_EQ(parse_announce(kGood + "&event=paused")->event, Event::none);
  EXPECT_EQ(parse_announce(kGood + "&event=")->event, Event::none);
  EXPECT_TRUE(parse_announce("&&" + kGood + "&"));
}

TEST(Announce, BoundsTheNumberOfPeersWanted) {
  EXPECT_EQ(parse_announce(kGood + "&numwant=0")->wanted, 0u);
  EXPECT_EQ(parse_announce(kGood + "&numwant=100000")->wanted, kMaxWanted);
  EXPECT_EQ(parse_announce(kGood + "&numwant=-1")->wanted, kDefaultWanted);
}

TEST(Announce, RefusesWhatItCannotUnderstandAndNamesIt) {
  struct Case {
    std::string query;
    std::string reason;
  };
  const std::string id = "&peer_id=-XX0001-123456789012&port=6881";
  for (const auto& c : {
           Case{"", "info_hash is missing"},
           Case{kHash + "&port=1", "peer_id is missing"},
           Case{kHash + "&peer_id=-XX0001-123456789012", "port is missing"},
           Case{"info_hash=short" + id, "info_hash is not 20"},
           Case{"info_hash=%00%01%02%03%04%05%06%07%08%09abcdefghijk" + id, "info_hash is not 20"},
           Case{"info_hash=%zz%01%02%03%04%05%06%07%08%09abcdefghij" + id, "info_hash is not 20"},
           Case{"info_hash=%00%01%02%03%04%05%06%07%08%09abcdefghi%" + id, "info_hash is not 20"},
           Case{"info_hash=" + id, "info_hash is not 20"},
           Case{kGood + "&" + kHash, "more than one info_hash"},
           Case{kHash + "&peer_id=x&port=1", "peer_id is not 20"},
           Case{kGood + "&port=65536", "port"},
           Case{kGood + "&port=", "port"},
           Case{kGood + "&port=-1", "port"},
           Case{kGood + "&port=1x", "port"},
           Case{kGood + "&left=many", "left"},
           Case{kGood + "&left=99999999999999999999", "left"},
           Case{kGood + "&numwant=x", "numwant"},
       }) {
    auto parsed = parse_announce(c.query);
    ASSERT_FALSE(parsed) << c.query;
    EXPECT_THAT(parsed.error().message, HasSubstr(c.reason)) << c.query;
  }
}

TEST(Scrape, TakesSeveralHashesUpToALimit) {
  EXPECT_EQ(parse_scrape(kHash + "&" + kHash)->size(), 2u);
  EXPECT_EQ(parse_scrape("").error().kind, ErrorKind::invalid_request);
  EXPECT_EQ(parse_scrape("info_hash=a").error().kind, ErrorKind::invalid_request);
  std::string many;
  for (std::size_t i = 0; i < kMaxScrapeHashes; ++i) many += "&" + kHash;
  EXPECT_EQ(parse_scrape(many)->size(), kMaxScrapeHashes);
  EXPECT_EQ(parse_scrape(many + "&" + kHash).error().kind, ErrorKind::too_large);
}

TEST(Announce, RandomBytesNeverBreakTheParsers) {
  std::mt19937 random(1);
  const std::string seeds[] = {kGood, kHash, "&=%", "port=&left=&numwant=-&event&compact"};
  for (int round = 0; round < 20'000; ++round) {
    auto query = seeds[random() % std::size(seeds)];
    for (unsigned edits = random() % 8; edits > 0; --edits) {
      auto at = random() % (query.size() + 1);
      if (random() % 2 == 0)
        query.insert(at, 1, static_cast<char>(random()));
      else
        query.erase(at, random() % 4);
    }
    auto parsed = parse_announce(query);
    EXPECT_LE(parsed ? parsed->wanted : 0, kMaxWanted);
    (void)parse_scrape(query);
  }
}

TEST(Address, ParsesAndShowsBothKinds) {
  EXPECT_EQ(Address::parse("192.0.2.1")->text(), "192.0.2.1");
  EXPECT_EQ(Address::parse("2001:db8::1")->text(), "2001:db8::1");
  EXPECT_EQ(Address::parse("fe80::1%eth0")->text(), "fe80::1");
  for (const char* text : {"", "localhost", "1.2.3", "::g", "1.2.3.4.5"})
    EXPECT_FALSE(Address::parse(text)) << text;
}

TEST(Address, NearMeansTheSameNetwork) {
  auto near = [](const char* a, const char* b) {
    return Address::parse(a)->is_near(*Address::parse(b));
  };
  EXPECT_TRUE(near("192.0.2.1", "192.0.2.200"));
  EXPECT_FALSE(near("192.0.2.1", "192.0.3.1"));
  EXPECT_TRUE(near("2001:db8::1", "2001:db8::ffff:1"));
  EXPECT_FALSE(near("2001:db8::1", "2001:db8:0:1::1"));
  EXPECT_FALSE(near("192.0.2.1", "c000:200::"));
}

}  // namespace
}  // namespace shoal::tracker
