// Which addresses, trackers and announcements each consent lets through.
#include "swarm/network_scope.hpp"

#include <gtest/gtest.h>

#include "base/asio.hpp"

namespace shoal::swarm {
namespace {

using transfer::Consent;
using Urls = std::vector<std::string>;

TEST(NetworkScope, KnowsLocalAddresses) {
  for (const char* text :
       {"127.0.0.1", "127.255.0.3", "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.3.4", "::1", "fe80::1", "fd12::1", "fc00::"})
    EXPECT_TRUE(is_local(lt::make_address(text))) << text;
  for (const char* text : {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0",
                           "192.167.255.255", "192.169.0.0", "169.253.1.1", "128.0.0.1", "::2",
                           "2001:db8::1", "fec0::1", "fbff::1", "::", "0.0.0.0"})
    EXPECT_FALSE(is_local(lt::make_address(text))) << text;
}

TEST(NetworkScope, FiltersPeersByConsent) {
  const auto blocked = [](Consent consent, const char* text) {
    return peer_filter(consent).access(lt::make_address(text)) != 0;
  };
  for (const char* text : {"192.168.1.1", "fe80::1", "8.8.8.8", "2001:db8::1"}) {
    EXPECT_TRUE(blocked(Consent::denied, text)) << text;
    EXPECT_FALSE(blocked(Consent::granted, text)) << text;
  }
  EXPECT_FALSE(blocked(Consent::lan, "192.168.1.1"));
  EXPECT_FALSE(blocked(Consent::lan, "fe80::1"));
  EXPECT_TRUE(blocked(Consent::lan, "8.8.8.8"));
  EXPECT_TRUE(blocked(Consent::lan, "2001:db8::1"));
}

TEST(NetworkScope, FindsTheHostOfAUrl) {
  EXPECT_EQ(url_host("http://10.0.0.1:8080/announce"), "10.0.0.1");
  EXPECT_EQ(url_host("udp://[fd00::1]:6969"), "fd00::1");
  EXPECT_EQ(url_host("https://tracker.example/announce?x=http://10.0.0.1/"), "tracker.example");
  EXPECT_EQ(url_host("http://10.0.0.1@evil.example/announce"), "evil.example");
  EXPECT_EQ(url_host("http://evil.example#@10.0.0.1/"), "evil.example");
  EXPECT_EQ(url_host("http://evil.example?@10.0.0.1/"), "evil.example");
  EXPECT_EQ(url_host("10.0.0.1"), "");
  EXPECT_EQ(url_host("http://[fd00::1"), "");
}

TEST(NetworkScope, AsksOnlyTrackersThatConsentAllows) {
  const Urls all = {"http://10.1.2.3:80/announce", "https://tracker.example/announce",
                    "udp://[fd00::1]:6969", "http://8.8.8.8/announce",
                    "http://10.0.0.1.evil.example/announce"};
  EXPECT_EQ(allowed_trackers(all, Consent::granted), all);
  EXPECT_EQ(allowed_trackers(all, Consent::lan), (Urls{all[0], all[2]}));
  EXPECT_EQ(allowed_trackers(all, Consent::denied), Urls());
}

}  // namespace
}  // namespace shoal::swarm
