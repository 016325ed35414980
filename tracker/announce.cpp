// The query is split at '&' and '=' before anything is decoded: info hashes and peer ids are binary
// and contain every byte. What is wrong is said in words that a client's user may see.
#include "tracker/announce.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace shoal::tracker {
namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Exactly 20 bytes, percent-encoded; empty for anything else.
std::optional<std::array<std::uint8_t, 20>> parse_20_bytes(std::string_view text) {
  std::array<std::uint8_t, 20> bytes{};
  for (auto& byte : bytes) {
    if (text.empty()) return std::nullopt;
    if (text.front() != '%') {
      byte = static_cast<std::uint8_t>(text.front());
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) return std::nullopt;
    byte = static_cast<std::uint8_t>(hex_value(text[1]) * 16 + hex_value(text[2]));
    text.remove_prefix(3);
  }
  return text.empty() ? std::optional(bytes) : std::nullopt;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> bad(std::string message) {
  return fail(ErrorKind::invalid_request, std::move(message));
}

struct Parameter {
  std::string_view name;
  std::string_view value;
};

// Takes the next parameter off the query; empty at its end.
std::optional<Parameter> next_parameter(std::string_view& query) {
  while (query.starts_with('&')) query.remove_prefix(1);
  if (query.empty()) return std::nullopt;
  auto end = std::min(query.find('&'), query.size());
  auto pair = query.substr(0, end);
  query.remove_prefix(end);
  auto equals = std::min(pair.find('='), pair.size());
  return Parameter{pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))};
}

Event parse_event(std::string_view text) {
  if (text == "started") return Event::started;
  if (text == "stopped") return Event::stopped;
  if (text == "completed") return Event::completed;
  return Event::none;  // also "paused" (BEP 21) and what is not known
}

struct Seen {
  bool info_hash = false;
  bool peer_id = false;
  bool port = false;
};

Result<void> apply(const Parameter& parameter, Announce& announce, Seen& seen) {
  auto [name, value] = parameter;
  if (name == "info_hash") {
    auto hash = parse_20_bytes(value);
    if (!hash) return bad("info_hash is not 20 percent-encoded bytes");
    if (std::exchange(seen.info_hash, true)) return bad("more than one info_hash");
    announce.info_hash = *hash;
  } else if (name == "peer_id") {
    auto id = parse_20_bytes(value);
    if (!id) return bad("peer_id is not 20 percent-encoded bytes");
    announce.peer_id = *id;
    seen.peer_id = true;
  } else if (name == "port") {
    auto port = parse_number<std::uint16_t>(value);
    if (!port) return bad("port is not a number from 0 to 65535");
    announce.port = *port;
    seen.port = true;
  } else if (name == "left") {
    auto left = parse_number<std::int64_t>(value);
    if (!left) return bad("left is not a number of bytes");
    announce.is_seed = *left == 0;
  } else if (name == "numwant") {
    auto wanted = parse_number<std::int64_t>(value);
    if (!wanted) return bad("numwant is not a number");
    if (*wanted >= 0)
      announce.wanted = static_cast<std::uint32_t>(std::min<std::int64_t>(*wanted, kMaxWanted));
  } else if (name == "event") {
    announce.event = parse_event(value);
  } else if (name == "compact") {
    announce.compact = value != "0";
  } else if (name == "no_peer_id") {
    announce.no_peer_id = value == "1";
  }
  return {};
}

}  // namespace

Result<Announce> parse_announce(std::string_view raw_query) {
  Announce announce;
  Seen seen;
  while (auto parameter = next_parameter(raw_query)) SHOAL_TRY(apply(*parameter, announce, seen));
  if (!seen.info_hash) return bad("info_hash is missing");
  if (!seen.peer_id) return bad("peer_id is missing");
  if (!seen.port) return bad("port is missing");
  return announce;
}

Result<std::vector<InfoHash>> parse_scrape(std::string_view raw_query) {
  std::vector<InfoHash> hashes;
  while (auto parameter = next_parameter(raw_query)) {
    if (parameter->name != "info_hash") continue;
    auto hash = parse_20_bytes(parameter->value);
    if (!hash) return bad("info_hash is not 20 percent-encoded bytes");
    if (hashes.size() == kMaxScrapeHashes)
      return fail(ErrorKind::too_large,
                  fmt::format("a scrape names at most {} torrents", kMaxScrapeHashes));
    hashes.push_back(*hash);
  }
  if (hashes.empty()) return bad("info_hash is missing: this tracker answers no full scrape");
  return hashes;
}

std::optional<Address> Address::parse(std::string_view text) {
  std::string plain(text.substr(0, text.find('%')));
  Address address;
  address.v6 = plain.find(':') != std::string::npos;
  if (::inet_pton(address.v6 ? AF_INET6 : AF_INET, plain.c_str(), address.bytes.data()) != 1)
    return std::nullopt;
  return address;
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

bool Address::is_near(const Address& other) const {
  constexpr std::ptrdiff_t kNetworkBytes4 = 3;
  constexpr std::ptrdiff_t kNetworkBytes6 = 8;
  return v6 == other.v6 &&
         std::equal(bytes.begin(), bytes.begin() + (v6 ? kNetworkBytes6 : kNetworkBytes4),
                    other.bytes.begin());
}

}  // namespace shoal::tracker
