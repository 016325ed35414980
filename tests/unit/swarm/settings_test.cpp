// What consent makes of libtorrent's settings.
#include "swarm/settings.hpp"

#include <gtest/gtest.h>

namespace shoal::swarm {
namespace {

using sp = lt::settings_pack;
using transfer::Consent;

TEST(SwarmSettings, PeersOfThisNetworkAloneAreReachedOverTcp) {
  SwarmOptions options;
  for (auto [consent, utp] : {std::pair{Consent::denied, false}, std::pair{Consent::lan, false},
                              std::pair{Consent::granted, true}}) {
    auto pack = consent_settings(options, consent, true);
    EXPECT_EQ(pack.get_bool(sp::enable_outgoing_utp), utp);
    EXPECT_EQ(pack.get_bool(sp::enable_incoming_utp), utp);
  }
  options.utp = false;
  EXPECT_FALSE(consent_settings(options, Consent::granted, true).get_bool(sp::enable_outgoing_utp));
}

TEST(SwarmSettings, NothingReachesBeyondThisNetworkUnlessAllIsGranted) {
  const SwarmOptions options;
  for (int setting : {sp::enable_dht, sp::enable_upnp, sp::enable_natpmp}) {
    EXPECT_FALSE(consent_settings(options, Consent::denied, true).get_bool(setting));
    EXPECT_FALSE(consent_settings(options, Consent::lan, true).get_bool(setting));
    EXPECT_TRUE(consent_settings(options, Consent::granted, true).get_bool(setting));
  }
  EXPECT_FALSE(consent_settings(options, Consent::granted, false).get_bool(sp::enable_dht));
  EXPECT_EQ(consent_settings(options, Consent::denied, true).get_str(sp::listen_interfaces), "");
}

}  // namespace
}  // namespace shoal::swarm
