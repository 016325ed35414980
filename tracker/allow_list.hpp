// Which torrents are served: all, or those named in a file and those found in a repository.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "tracker/announce.hpp"

namespace shoal::tracker {

// Both info hashes of a hybrid torrent, one of the others, truncated as announced. Errors:
// metadata_invalid.
Result<std::vector<InfoHash>> info_hashes_of_torrent(ByteView torrent);
// A hash per line in hexadecimal: 40 digits (v1, or v2 truncated) or 64 (v2). Empty lines and what
// follows '#' are ignored. Errors: invalid_request, with the line's number.
Result<std::set<InfoHash>> parse_allow_file(std::string_view text);

class AllowList {
 public:
  struct Sources {
    bool open = false;  // everything is served
    std::optional<std::filesystem::path> file{};
    std::optional<std::filesystem::path> repository{};  // every *.torrent beneath it
  };

  explicit AllowList(Sources sources) : sources_(std::move(sources)) {}

  // Both replace what they read before; on an error the earlier list stays. A torrent that cannot
  // be read is left out and named in the answer of read_repository.
  Result<void> read_file();
  Result<std::vector<Error>> read_repository();

  bool allows(const InfoHash& hash) const;
  std::size_t size() const;

 private:
  struct CachedTorrent {
    FileStamp stamp;
    std::vector<InfoHash> hashes;
  };

  Sources sources_;
  std::set<InfoHash> from_file_;
  std::set<InfoHash> from_repository_;
  std::map<std::filesystem::path, CachedTorrent> torrents_;  // unchanged ones are not read again
};

}  // namespace shoal::tracker
