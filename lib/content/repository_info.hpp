// The two small signed files with which a repository describes itself: repository.json (where the
// bytes come from, and the publisher's defaults) and <product>/channels.json (which version a
// channel points at). Formats: docs/formats/repository.md and docs/formats/channels.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::content {

inline constexpr std::uint64_t kMaxRepositoryJsonBytes = 64 << 10;
inline constexpr std::uint64_t kMaxChannelsJsonBytes = 4 << 20;  // ~60,000 versions
inline constexpr std::size_t kMaxMirrors = 64;
inline constexpr std::size_t kMaxTrackers = 64;
inline constexpr std::size_t kMaxChannels = 1024;
inline constexpr std::size_t kMaxUrlBytes = 2048;

// TUF target paths.
inline constexpr const char* kRepositoryTarget = "repository.json";
std::string channels_target(const std::string& product);  // "<product>/channels.json"

// The publisher's default for the peer-or-edge policy; transfer::Policy has the same names.
enum class EdgePolicy { fastest, balanced, thrifty };
const char* name_of(EdgePolicy policy);
// Errors: invalid_request.
Result<EdgePolicy> parse_edge_policy(std::string_view name);

struct RepositoryInfo {
  std::vector<std::string> mirrors;  // base URLs, http or https, in order of preference; empty: the
                                     // URL with which the repository was added
  std::vector<std::string> trackers;  // announce URLs: http, https or udp
  EdgePolicy policy = EdgePolicy::fastest;
  bool dht = false;  // whether clients may use the DHT
};

struct ChannelList {
  std::map<std::string, std::string> channels;  // name → version, always one of `versions`
  std::vector<std::string> versions;            // oldest first, no two the same
};

// Errors: invalid_request.
Result<void> check_mirror_url(std::string_view url);
Result<void> check_tracker_url(std::string_view url);

std::string format_repository_info(const RepositoryInfo& info);
// Errors: metadata_invalid, unsupported_version, too_large. Unknown members are ignored.
Result<RepositoryInfo> parse_repository_info(ByteView json);

std::string format_channels(const ChannelList& list);
// Errors: metadata_invalid, unsupported_version, too_large. Unknown members are ignored.
Result<ChannelList> parse_channels(ByteView json);

}  // namespace shoal::content
