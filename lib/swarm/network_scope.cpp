// One table of local address ranges serves all the questions.
#include "swarm/network_scope.hpp"

#include <array>
#include <libtorrent/session.hpp>
#include <utility>

#include "base/asio.hpp"

namespace shoal::swarm {
namespace {

using Range = std::pair<const char*, const char*>;
constexpr std::array<Range, 8> kLocalRanges{{
    {"10.0.0.0", "10.255.255.255"},
    {"127.0.0.0", "127.255.255.255"},
    {"169.254.0.0", "169.254.255.255"},
    {"172.16.0.0", "172.31.255.255"},
    {"192.168.0.0", "192.168.255.255"},
    {"::1", "::1"},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
}};
constexpr std::array<Range, 2> kAllRanges{{
    {"0.0.0.0", "255.255.255.255"},
    {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
}};

template <typename Ranges>
void add_rules(lt::ip_filter& filter, const Ranges& ranges, std::uint32_t value) {
  for (const auto& [first, last] : ranges)
    filter.add_rule(lt::make_address(first), lt::make_address(last), value);
}

}  // namespace

bool is_local(const lt::address& address) {
  for (const auto& [first_text, last_text] : kLocalRanges) {
    const auto first = lt::make_address(first_text);
    if (first.is_v4() != address.is_v4()) continue;
    if (first <= address && address <= lt::make_address(last_text)) return true;
  }
  return false;
}

lt::ip_filter peer_filter(transfer::Consent consent) {
  lt::ip_filter filter;
  if (consent == transfer::Consent::granted) return filter;
  add_rules(filter, kAllRanges, lt::ip_filter::blocked);
  if (consent == transfer::Consent::lan) add_rules(filter, kLocalRanges, 0);
  return filter;
}

lt::ip_filter peer_class_filter() {
  lt::ip_filter filter;
  add_rules(filter, kAllRanges,
            1U << static_cast<std::uint32_t>(lt::session::global_peer_class_id));
  return filter;
}

std::string_view url_host(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (const auto at = authority.rfind('@'); at != std::string_view::npos)
    authority = authority.substr(at + 1);
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    return end == std::string_view::npos ? std::string_view() : authority.substr(1, end - 1);
  }
  return authority.substr(0, authority.find(':'));
}

std::vector<std::string> allowed_trackers(const std::vector<std::string>& trackers,
                                          transfer::Consent consent) {
  std::vector<std::string> allowed;
  for (const std::string& tracker : trackers) {
    switch (consent) {
      case transfer::Consent::denied:
        break;
      case transfer::Consent::lan: {
        lt::error_code error;
        const auto address = lt::make_address(std::string(url_host(tracker)), error);
        if (!error && is_local(address)) allowed.push_back(tracker);
        break;
      }
      case transfer::Consent::granted:
        allowed.push_back(tracker);
        break;
    }
  }
  return allowed;
}

}  // namespace shoal::swarm
