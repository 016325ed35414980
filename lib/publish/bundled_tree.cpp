// A file's bytes are a range of the image; its scratch copy is named by its number, and appears
// under that name when it is whole.
#include "publish/bundled_tree.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "content/merkle.hpp"

namespace shoal::publish {
namespace {

constexpr std::size_t kCopyBytes = 1 << 20;

}  // namespace

Result<std::unique_ptr<BundledTree>> BundledTree::open(const Layout& layout, ArtifactFiles artifact,
                                                       const content::Component& component,
                                                       content::Recipes recipes,
                                                       std::filesystem::path scratch) {
  SHOAL_TRY(make_directories(scratch));
  std::unique_ptr<BundledTree> tree(new BundledTree(layout, std::move(artifact), component,
                                                    std::move(recipes), std::move(scratch)));
  SHOAL_ASSIGN(auto reader, PieceReader::make(tree->repository_, tree->artifact_.torrent,
                                              tree->artifact_.index));
  tree->reader_ = std::move(reader);
  return tree;
}

Result<UniqueFd> BundledTree::extract(FileIndex file) {
  std::lock_guard lock(extracting_);
  const std::string name = scratch_ / std::to_string(file.value());
  UniqueFd there(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (there) return there;
  const std::string unfinished = name + ".new";
  UniqueFd fd(
      ::open(unfinished.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail(system_error(errno, "create", unfinished));
  SHOAL_TRY(write_file(component_.files[file.value()], fd.get(), unfinished));
  if (::rename(unfinished.c_str(), name.c_str()) != 0) {
    return fail(system_error(errno, "rename into place", name));
  }
  return fd;
}

Result<void> BundledTree::write_file(const content::FileEntry& file, int fd,
                                     const std::string& name) {
  content::FileHasher hasher;
  Bytes buffer(std::min<std::uint64_t>(kCopyBytes, file.size));
  for (std::uint64_t at = 0; at < file.size;) {
    const auto part =
        MutableByteView(buffer).first(std::min<std::uint64_t>(buffer.size(), file.size - at));
    SHOAL_TRY(reader_->read_range(file.offset + at, part));
    hasher.update(part);
    SHOAL_TRY(pwrite_all(fd, part, at, name));
    at += part.size();
  }
  if (hasher.finish() == file.root) return {};
  return fail(ErrorKind::verification_failed,
              fmt::format("'{}' in the bundles does not match its merkle root", file.path.text()),
              "The repository is damaged: 'shoal-publish check' says where.");
}

}  // namespace shoal::publish
