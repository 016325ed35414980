// Identities, then groups. A slice costs two bytes where it is a whole file; sizes and roots are
// not said again, for the identities pin the manifests that have them. Nothing is believed before
// the slices have been held against both lists of files.
#include "delta/artifact.hpp"

#include <algorithm>

#include "content/byte_codec.hpp"
#include "delta/damaged.hpp"

namespace shoal::delta {
namespace {

void write_slices(content::ByteWriter& writer, const std::vector<Slice>& slices, FileList files) {
  writer.varint(slices.size());
  std::uint32_t last = 0;
  for (const auto& slice : slices) {
    const std::uint32_t file = slice.file.value();
    const bool whole = slice.size == files[file].size;
    writer.varint(file - last);
    writer.varint(whole ? 0 : slice.size);
    if (!whole) writer.varint(slice.offset);
    last = file;
  }
}

Result<std::vector<Slice>> read_slices(content::ByteReader& reader, FileList files,
                                       std::size_t& allowed) {
  SHOAL_ASSIGN(const auto count, reader.varint());
  if (count > allowed) return bad("too many slices");
  allowed -= count;
  std::vector<Slice> slices;
  std::uint64_t file = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(const auto step, reader.varint());
    if (file >= files.size() || step >= files.size() - file) return bad("a file that is not there");
    file += step;
    SHOAL_ASSIGN(auto size, reader.varint());
    std::uint64_t offset = 0;
    if (size == 0) {
      size = files[file].size;
    } else {
      SHOAL_ASSIGN(offset, reader.varint());
    }
    if (size == 0 || size > files[file].size || offset > files[file].size - size) {
      return bad("a slice beyond its file");
    }
    slices.push_back({FileIndex(static_cast<std::uint32_t>(file)), offset, size});
  }
  return slices;
}

// Each made file is covered, by slices that follow each other; nothing else is.
Result<void> check_new_slices(const ArtifactHead& head, FileList new_files,
                              std::span<const Origin> origins) {
  std::vector<Slice> slices;
  for (const auto& group : head.groups) {
    slices.insert(slices.end(), group.new_slices.begin(), group.new_slices.end());
  }
  std::ranges::sort(slices);
  auto slice = slices.begin();
  for (std::uint32_t i = 0; i < new_files.size(); ++i) {
    if (origins[i].kind != Origin::Kind::made) continue;
    std::uint64_t made = 0;
    for (; slice != slices.end() && slice->file.value() == i && slice->offset == made; ++slice) {
      made += slice->size;
    }
    if (made != new_files[i].size) {
      return bad("it does not make '" + new_files[i].path.text() + "' once and whole");
    }
  }
  if (slice != slices.end()) return bad("it makes a file that needs no delta, or one twice");
  return {};
}

Result<Bytes> read_body(const ReadNext& next) {
  return read_sized(next, kArtifactMagic, kArtifactVersion, kMaxHeadBytes, "the delta's head");
}

Result<ArtifactHead> read_groups(content::ByteReader& reader, FileList old_files,
                                 FileList new_files, std::span<const Origin> origins) {
  SHOAL_ASSIGN(const auto groups, reader.varint());
  if (groups > kMaxGroups) return bad("too many groups");
  ArtifactHead head;
  std::size_t allowed = kMaxSlices;
  for (std::uint64_t i = 0; i < groups; ++i) {
    Group group;
    SHOAL_ASSIGN(group.old_slices, read_slices(reader, old_files, allowed));
    SHOAL_ASSIGN(group.new_slices, read_slices(reader, new_files, allowed));
    SHOAL_ASSIGN(group.block_bytes, reader.varint());
    if (group.new_slices.empty()) return bad("a group that makes nothing");
    head.groups.push_back(std::move(group));
  }
  SHOAL_TRY(reader.expect_end());
  SHOAL_TRY(check_new_slices(head, new_files, origins));
  return head;
}

}  // namespace

std::uint64_t ArtifactHead::new_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& group : groups)
    for (const auto& slice : group.new_slices) sum += slice.size;
  return sum;
}

Bytes format_head(FileList old_files, FileList new_files, const ArtifactHead& head) {
  content::ByteWriter writer;
  writer.raw(tree_identity(old_files).bytes);
  writer.raw(tree_identity(new_files).bytes);
  writer.varint(head.groups.size());
  for (const auto& group : head.groups) {
    write_slices(writer, group.old_slices, old_files);
    write_slices(writer, group.new_slices, new_files);
    writer.varint(group.block_bytes);
  }
  return seal_sized(kArtifactMagic, kArtifactVersion, writer.take());
}

Result<ArtifactHead> read_head(const ReadNext& next, FileList old_files, FileList new_files) {
  SHOAL_ASSIGN(const auto body, read_body(next));
  content::ByteReader reader(body, "the delta's head");
  SHOAL_ASSIGN(const auto old_tree, reader.raw(32));
  SHOAL_TRY(check_tree_identity(old_files, old_tree, "old"));
  SHOAL_ASSIGN(const auto new_tree, reader.raw(32));
  SHOAL_TRY(check_tree_identity(new_files, new_tree, "new"));
  return read_groups(reader, old_files, new_files, match_trees(old_files, new_files));
}

Result<UnboundHead> read_unbound_head(const ReadNext& next, FileList old_files, FileList new_files,
                                      std::span<const Origin> origins) {
  SHOAL_ASSIGN(const auto body, read_body(next));
  content::ByteReader reader(body, "the delta's head");
  SHOAL_ASSIGN(const auto old_tree, reader.raw(32));
  SHOAL_ASSIGN(const auto new_tree, reader.raw(32));
  SHOAL_ASSIGN(auto head, read_groups(reader, old_files, new_files, origins));
  return UnboundHead{*Digest::from_bytes(old_tree), *Digest::from_bytes(new_tree), std::move(head)};
}

}  // namespace shoal::delta
