// repository.json and channels.json: JSON in, values out. Everything that comes out of a parser
// here has been checked: names are names, URLs have a scheme we speak, channels point at versions
// that exist.
#include "content/repository_info.hpp"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/relative_path.hpp"
#include "base/words.hpp"

namespace shoal::content {
namespace {

using nlohmann::json;

constexpr int kFormatVersion = 1;

bool has_prefix(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

Result<void> check_url(std::string_view what, std::string_view url,
                       std::initializer_list<std::string_view> schemes) {
  bool known = false;
  for (auto scheme : schemes)
    known = known || (has_prefix(url, scheme) && url.size() > scheme.size());
  if (!known)
    return fail(ErrorKind::invalid_request,
                fmt::format("{} '{}' does not begin with one of {}", what, url.substr(0, 200),
                            fmt::join(schemes, ", ")));
  if (url.size() > kMaxUrlBytes)
    return fail(ErrorKind::invalid_request,
                fmt::format("{} has {} bytes, more than {}", what, url.size(), kMaxUrlBytes));
  for (char c : url)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      return fail(ErrorKind::invalid_request,
                  fmt::format("{} has a space, a control or a non-ASCII character", what));
  return {};
}

std::unexpected<Error> invalid(std::string_view file, std::string_view why) {
  return fail(ErrorKind::metadata_invalid, fmt::format("{}: {}", file, why));
}

// What both files have in common: size, JSON object, format name and version.
Result<json> parse_document(ByteView bytes, std::string_view file, std::string_view format,
                            std::uint64_t max_bytes) {
  if (bytes.size() > max_bytes)
    return fail(ErrorKind::too_large,
                fmt::format("{} has {} bytes, more than {}", file, bytes.size(), max_bytes));
  constexpr int kMaxDepth = 8;  // the formats need 2; unknown members may have a little more
  bool too_deep = false;
  auto limit_depth = [&](int depth, json::parse_event_t, json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  json document = json::parse(bytes.begin(), bytes.end(), limit_depth, false);
  if (too_deep) return invalid(file, "it is nested too deeply");
  if (document.is_discarded() || !document.is_object()) return invalid(file, "not a JSON object");
  auto name = document.find("format");
  if (name == document.end() || *name != format)
    return invalid(file, fmt::format("its \"format\" is not \"{}\"", format));
  auto version = document.find("format_version");
  if (version == document.end() || !version->is_number_unsigned())
    return invalid(file, "it has no \"format_version\"");
  if (*version != kFormatVersion)
    return fail(ErrorKind::unsupported_version,
                fmt::format("{} has format version {}; this program knows {}", file,
                            version->dump(), kFormatVersion));
  return document;
}

// A member that must be an array of strings when it is there; empty when it is not.
Result<std::vector<std::string>> string_array(const json& document, std::string_view file,
                                              const char* name, std::size_t max_count) {
  auto member = document.find(name);
  if (member == document.end()) return std::vector<std::string>{};
  if (!member->is_array()) return invalid(file, fmt::format("\"{}\" is not an array", name));
  if (member->size() > max_count)
    return invalid(file, fmt::format("\"{}\" has more than {} entries", name, max_count));
  std::vector<std::string> out;
  out.reserve(member->size());
  for (const auto& entry : *member) {
    if (!entry.is_string()) return invalid(file, fmt::format("\"{}\" holds a non-string", name));
    out.push_back(entry.get<std::string>());
  }
  return out;
}

}  // namespace

std::string channels_target(const std::string& product) { return product + "/channels.json"; }

const char* name_of(EdgePolicy policy) {
  return word_of(kPolicyWords<EdgePolicy>, policy).data();  // of a literal
}

Result<EdgePolicy> parse_edge_policy(std::string_view name) {
  if (auto policy = value_of(kPolicyWords<EdgePolicy>, name)) return *policy;
  return fail(ErrorKind::invalid_request,
              fmt::format("no policy is called '{}'; there are fastest, balanced and thrifty",
                          name.substr(0, 64)));
}

Result<void> check_mirror_url(std::string_view url) {
  return check_url("mirror", url, {"http://", "https://"});
}

Result<void> check_tracker_url(std::string_view url) {
  return check_url("tracker", url, {"http://", "https://", "udp://"});
}

std::string format_repository_info(const RepositoryInfo& info) {
  json document = {{"format", "shoal-repository"},   {"format_version", kFormatVersion},
                   {"mirrors", info.mirrors},        {"trackers", info.trackers},
                   {"policy", name_of(info.policy)}, {"dht", info.dht}};
  return document.dump(1) + "\n";
}

Result<RepositoryInfo> parse_repository_info(ByteView bytes) {
  constexpr std::string_view kFile = kRepositoryTarget;
  SHOAL_ASSIGN(auto document,
               parse_document(bytes, kFile, "shoal-repository", kMaxRepositoryJsonBytes));
  RepositoryInfo info;
  SHOAL_ASSIGN(info.mirrors, string_array(document, kFile, "mirrors", kMaxMirrors));
  SHOAL_ASSIGN(info.trackers, string_array(document, kFile, "trackers", kMaxTrackers));
  for (const auto& url : info.mirrors)
    if (auto checked = check_mirror_url(url); !checked)
      return invalid(kFile, checked.error().message);
  for (const auto& url : info.trackers)
    if (auto checked = check_tracker_url(url); !checked)
      return invalid(kFile, checked.error().message);
  if (auto policy = document.find("policy"); policy != document.end()) {
    if (!policy->is_string()) return invalid(kFile, "\"policy\" is not a string");
    auto parsed = parse_edge_policy(policy->get_ref<const std::string&>());
    if (!parsed) return invalid(kFile, parsed.error().message);
    info.policy = *parsed;
  }
  if (auto dht = document.find("dht"); dht != document.end()) {
    if (!dht->is_boolean()) return invalid(kFile, "\"dht\" is not true or false");
    info.dht = dht->get<bool>();
  }
  return info;
}

std::string format_channels(const ChannelList& list) {
  json document = {{"format", "shoal-channels"},
                   {"format_version", kFormatVersion},
                   {"channels", list.channels},
                   {"versions", list.versions}};
  return document.dump(1) + "\n";
}

Result<ChannelList> parse_channels(ByteView bytes) {
  constexpr std::string_view kFile = "channels.json";
  SHOAL_ASSIGN(auto document,
               parse_document(bytes, kFile, "shoal-channels", kMaxChannelsJsonBytes));
  ChannelList list;
  SHOAL_ASSIGN(list.versions, string_array(document, kFile, "versions", kMaxChannelsJsonBytes / 4));
  std::set<std::string_view> seen;
  for (const auto& version : list.versions) {
    if (auto checked = check_name("version", version); !checked)
      return invalid(kFile, checked.error().message);
    if (!seen.insert(version).second)
      return invalid(kFile, fmt::format("version '{}' is listed twice", version));
  }
  auto channels = document.find("channels");
  if (channels == document.end() || !channels->is_object())
    return invalid(kFile, "\"channels\" is not an object");
  if (channels->size() > kMaxChannels) return invalid(kFile, "it has too many channels");
  for (const auto& [name, version] : channels->items()) {
    if (auto checked = check_name("channel", name); !checked)
      return invalid(kFile, checked.error().message);
    if (!version.is_string() || !seen.contains(version.get_ref<const std::string&>()))
      return invalid(kFile, fmt::format("channel '{}' names no version of the list", name));
    list.channels.emplace(name, version.get<std::string>());
  }
  return list;
}

}  // namespace shoal::content
