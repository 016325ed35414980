// What a client's announce and scrape say, parsed out of the raw query. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace shoal::tracker {

// 20 bytes: the SHA-1 of a v1 torrent, or the first 20 bytes of the SHA-256 of a v2 torrent, as
// BEP 52 announces it.
using InfoHash = std::array<std::uint8_t, 20>;
using PeerId = std::array<std::uint8_t, 20>;

inline constexpr std::uint32_t kMaxWanted = 200;  // peers in one answer; 18 bytes each at most
inline constexpr std::uint32_t kDefaultWanted = 50;
inline constexpr std::size_t kMaxScrapeHashes = 64;  // of one scrape; what fits a request's head

enum class Event { none, started, stopped, completed };

struct Announce {
  InfoHash info_hash{};
  PeerId peer_id{};
  std::uint16_t port = 0;  // 0: accepts no connections, and is told to nobody
  bool is_seed = false;    // left=0
  Event event = Event::none;
  std::uint32_t wanted = kDefaultWanted;  // at most kMaxWanted
  bool compact = true;                    // BEP 23; false only for compact=0
  bool no_peer_id = false;
};

// Errors: invalid_request, with a message fit for `failure reason`. An unknown parameter or event
// is ignored, and so is `ip`: a peer's address is that of its connection.
Result<Announce> parse_announce(std::string_view raw_query);
// The info_hash parameters of a scrape, at least one (BEP 48). Errors: invalid_request, too_large.
Result<std::vector<InfoHash>> parse_scrape(std::string_view raw_query);

// A peer's address, in network byte order; IPv4 uses the first four bytes.
struct Address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};

  // "192.0.2.1", "2001:db8::1", also with a zone ("%eth0"), which is dropped.
  static std::optional<Address> parse(std::string_view text);
  std::string text() const;
  // The same /24 (IPv4) or /64 (IPv6).
  bool is_near(const Address& other) const;
  auto operator<=>(const Address&) const = default;
};

}  // namespace shoal::tracker
