// A torrent's info hash is that of its info dictionary's bytes as they are in the file. Folders
// named "bundles" hold no torrents but may hold very many files, and are not looked into.
#include "tracker/allow_list.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/sha256.hpp"
#include "content/bencode.hpp"
#include "content/torrent.hpp"

namespace shoal::tracker {
namespace {

constexpr std::uint64_t kMaxAllowFileBytes = 16 << 20;  // about 400,000 torrents

InfoHash truncate(const Digest& digest) {
  InfoHash hash{};
  std::copy_n(digest.bytes.begin(), hash.size(), hash.begin());
  return hash;
}

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  auto first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

Result<std::vector<InfoHash>> read_torrent(const std::filesystem::path& path) {
  SHOAL_ASSIGN(auto bytes, shoal::read_file(path, content::kMaxTorrentBytes));
  auto hashes = info_hashes_of_torrent(bytes);
  if (!hashes)
    return fail(hashes.error().kind,
                fmt::format("read torrent {}: {}", path.native(), hashes.error().message));
  return hashes;
}

}  // namespace

Result<std::vector<InfoHash>> info_hashes_of_torrent(ByteView torrent) {
  using Type = content::BencodeValue::Type;
  SHOAL_ASSIGN(auto root, content::parse_bencode(torrent));
  const auto* info = root.find("info", Type::dictionary);
  if (info == nullptr) return fail(ErrorKind::metadata_invalid, "it has no info dictionary");
  std::vector<InfoHash> hashes;
  const auto* version = info->find("meta version", Type::integer);
  if (version != nullptr && version->integer == 2) hashes.push_back(truncate(sha256(info->raw)));
  if (info->find("pieces", Type::string) != nullptr) hashes.push_back(sha1(info->raw));
  if (hashes.empty()) return fail(ErrorKind::metadata_invalid, "it is neither v1 nor v2");
  return hashes;
}

Result<std::set<InfoHash>> parse_allow_file(std::string_view text) {
  std::set<InfoHash> hashes;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto end = std::min(text.find('\n'), text.size());
    auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    auto bytes = from_hex(line);
    InfoHash hash{};
    if (!bytes || (bytes->size() != 20 && bytes->size() != 32))
      return fail(ErrorKind::invalid_request,
                  fmt::format("line {}: not an info hash of 40 or 64 hexadecimal digits", number));
    std::copy_n(bytes->begin(), hash.size(), hash.begin());
    hashes.insert(hash);
  }
  return hashes;
}

Result<void> AllowList::read_file() {
  if (!sources_.file) return {};
  auto bytes = shoal::read_file(*sources_.file, kMaxAllowFileBytes);
  if (!bytes)
    return fail(bytes.error().kind, bytes.error().message, "Check the path given to --allow.");
  auto hashes = parse_allow_file(as_text(*bytes));
  if (!hashes)
    return fail(hashes.error().kind,
                fmt::format("read {}: {}", sources_.file->native(), hashes.error().message));
  from_file_ = std::move(*hashes);
  return {};
}

Result<std::vector<Error>> AllowList::read_repository() {
  std::vector<Error> problems;
  if (!sources_.repository) return problems;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(*sources_.repository, error);
  std::map<std::filesystem::path, CachedTorrent> torrents;
  while (!error && entry != std::filesystem::recursive_directory_iterator()) {
    const auto& path = entry->path();
    std::error_code ignored;
    if (path.filename() == "bundles") entry.disable_recursion_pending();
    struct ::stat status{};
    if (path.extension() == ".torrent" && ::lstat(path.c_str(), &status) == 0 &&
        S_ISREG(status.st_mode)) {
      auto stamp = FileStamp::of(status);
      auto known = torrents_.find(path);
      if (known != torrents_.end() && known->second.stamp == stamp) {
        torrents.insert(*known);
      } else if (auto hashes = read_torrent(path)) {
        torrents[path] = {stamp, std::move(*hashes)};
      } else {
        problems.push_back(std::move(hashes.error()));
        torrents[path] = {stamp, {}};  // said once
      }
    }
    entry.increment(error);
  }
  if (error)
    return fail(
        ErrorKind::io_error,
        fmt::format("read repository {}: {}", sources_.repository->native(), error.message()),
        "Check the path given to --repository.");
  torrents_ = std::move(torrents);
  from_repository_.clear();
  for (const auto& [path, torrent] : torrents_)
    from_repository_.insert(torrent.hashes.begin(), torrent.hashes.end());
  return problems;
}

bool AllowList::allows(const InfoHash& hash) const {
  return sources_.open || from_file_.contains(hash) || from_repository_.contains(hash);
}

std::size_t AllowList::size() const { return from_file_.size() + from_repository_.size(); }

}  // namespace shoal::tracker
