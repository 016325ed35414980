// The image again, piece by piece from the bundles, each checked against the torrent before it is
// written; the output appears under its name only when it is whole.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.hpp"
#include "publish/piece_reader.hpp"
#include "publish/release_builder.hpp"

namespace shoal::publish {
namespace {

Result<void> write_pieces(PieceReader& reader, const content::Torrent& torrent, int fd,
                          const std::string& name) {
  for (std::size_t i = 0; i < torrent.piece_hashes.size(); ++i) {
    SHOAL_ASSIGN(auto piece, reader.read(i));
    SHOAL_TRY(pwrite_all(fd, piece, std::uint64_t{i} * torrent.piece_size, name));
  }
  if (::fsync(fd) != 0) return fail(system_error(errno, "flush", name));
  return {};
}

}  // namespace

Result<void> write_image(const std::filesystem::path& repository, const content::Torrent& torrent,
                         const content::EdgeIndex& index, const std::filesystem::path& output) {
  SHOAL_ASSIGN(auto reader, PieceReader::make(repository, torrent, index));
  std::filesystem::path temporary = output;
  temporary += fmt::format(".tmp.{}", ::getpid());
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
  UniqueFd fd(::open(temporary.c_str(), flags, 0644));
  if (!fd) return fail(system_error(errno, "create", temporary.native()));
  auto written = write_pieces(reader, torrent, fd.get(), temporary.native());
  if (written && ::rename(temporary.c_str(), output.c_str()) != 0)
    written = fail(system_error(errno, "rename into place", output.native()));
  if (!written) ::unlink(temporary.c_str());
  return written;
}

}  // namespace shoal::publish
