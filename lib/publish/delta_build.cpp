// The blocks go to a nameless file: the head, which stands before them, says how large they are.
// The check decodes them as a client would, against the bytes of the new tree.
#include "publish/delta_build.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace shoal::publish {
namespace {

constexpr std::size_t kCopyBytes = 1 << 20;
constexpr std::string_view kBlocks = "the delta's blocks";

Result<UniqueFd> nameless_file(const std::filesystem::path& folder) {
  std::string name = folder / ".shoal-delta-XXXXXX";
  UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return fail(system_error(errno, "create a temporary file in", folder.native()));
  ::unlink(name.c_str());
  return fd;
}

delta::MakeOptions::Read reader_of(const DeltaSide& side) {
  return [&side](FileIndex file, std::uint64_t offset, MutableByteView out) {
    return TreeSource(side.files, file, side.component.files[file.value()]).read(offset, out);
  };
}

}  // namespace

Result<void> compare_applied(const delta::ArtifactHead& head, const delta::ReadNext& next,
                             const DeltaSide& old_side, const DeltaSide& new_side,
                             const StopToken& stop, WorkerPool& pool) {
  const auto& old_files = old_side.component.files;
  std::vector<TreeSource> sources;
  sources.reserve(old_files.size());
  for (std::uint32_t i = 0; i < old_files.size(); ++i) {
    sources.emplace_back(old_side.files, FileIndex(i), old_files[i]);
  }
  delta::ApplyOptions options;
  for (const auto& source : sources) options.old_files.push_back(&source);
  options.read = next;
  options.write = [&](FileIndex file, std::uint64_t offset, ByteView bytes) -> Result<void> {
    Bytes expected(bytes.size());
    SHOAL_TRY(reader_of(new_side)(file, offset, expected));
    if (std::ranges::equal(expected, bytes)) return {};
    return fail(ErrorKind::internal,
                fmt::format("the delta does not give '{}' back",
                            new_side.component.files[file.value()].path.text()));
  };
  options.workers = &pool;
  options.stop = stop;
  return delta::apply_artifact(head, options);
}

Result<BuiltDelta> build_delta(const DeltaSide& old_side, const DeltaSide& new_side,
                               const DeltaBuildOptions& options, WorkerPool& pool) {
  BuiltDelta out;
  SHOAL_ASSIGN(out.blocks, nameless_file(options.scratch_folder));
  delta::MakeOptions making;
  making.memory_bytes = options.memory_bytes;
  making.read_old = reader_of(old_side);
  making.read_new = reader_of(new_side);
  making.progress = options.progress;
  making.stop = options.stop;
  making.workers = &pool;
  making.write = [&](ByteView bytes) -> Result<void> {
    SHOAL_TRY(pwrite_all(out.blocks.get(), bytes, out.block_bytes, kBlocks));
    out.block_bytes += bytes.size();
    return {};
  };
  const auto& old_files = old_side.component.files;
  const auto& new_files = new_side.component.files;
  SHOAL_ASSIGN(out.made, delta::make_artifact({old_files, old_side.recipes},
                                              {new_files, new_side.recipes}, making));
  out.head = delta::format_head(old_files, new_files, out.made.head);
  std::uint64_t at = 0;
  const delta::ReadNext next = [&](MutableByteView bytes) -> Result<void> {
    SHOAL_TRY(pread_exact(out.blocks.get(), bytes, at, kBlocks));
    at += bytes.size();
    return {};
  };
  SHOAL_TRY(compare_applied(out.made.head, next, old_side, new_side, options.stop, pool));
  return out;
}

Result<void> write_artifact(const BuiltDelta& delta, int fd, std::uint64_t offset,
                            const std::string& name) {
  SHOAL_TRY(pwrite_all(fd, delta.head, offset, name));
  offset += delta.head.size();
  Bytes buffer(kCopyBytes);
  for (std::uint64_t at = 0; at < delta.block_bytes;) {
    const auto part = MutableByteView(buffer).first(
        std::min<std::uint64_t>(buffer.size(), delta.block_bytes - at));
    SHOAL_TRY(pread_exact(delta.blocks.get(), part, at, kBlocks));
    SHOAL_TRY(pwrite_all(fd, part, offset + at, name));
    at += part.size();
  }
  return {};
}

}  // namespace shoal::publish
