// Files are the same if size and merkle root are: then neither a move nor a copy costs a byte.
#include "delta/tree_match.hpp"

#include <algorithm>
#include <unordered_map>

#include "content/byte_codec.hpp"

namespace shoal::delta {
namespace {

// No other digests of ours begin like these.
constexpr std::string_view kTreeDomain = "shoal-tree-1\n";
constexpr std::string_view kListingDomain = "shoal-listing-1\n";

struct Content {
  Digest root;
  std::uint64_t size;
  bool operator==(const Content&) const = default;
};
struct ContentHash {
  std::size_t operator()(const Content& content) const noexcept {
    return std::hash<Digest>{}(content.root);
  }
};
using Known = std::unordered_map<Content, FileIndex, ContentHash>;

Content content_of(const content::FileEntry& file) { return {file.root, file.size}; }

Digest digest_of(FileList files, std::string_view domain, bool with_roots) {
  Sha256 hasher;
  hasher.update(as_bytes(domain));
  for (const auto& file : files) {
    content::ByteWriter writer;
    writer.varint(file.path.text().size());
    writer.raw(as_bytes(file.path.text()));
    const std::uint8_t executable = file.executable ? 1 : 0;
    writer.raw({&executable, 1});
    writer.varint(file.size);
    if (with_roots && file.size > 0) writer.raw(file.root.bytes);
    hasher.update(writer.take());
  }
  return hasher.finish();
}

}  // namespace

Digest tree_identity(FileList files) { return digest_of(files, kTreeDomain, true); }

Digest tree_listing(FileList files) { return digest_of(files, kListingDomain, false); }

Error made_for_another_tree(std::string_view which, std::string_view difference) {
  return {
      ErrorKind::conflict,
      "the delta was made for another " + std::string(which) + " tree: " + std::string(difference),
      "Use the delta that was made for this pair of trees."};
}

Result<void> check_tree_identity(FileList files, ByteView identity, std::string_view which) {
  if (Digest::from_bytes(identity) == tree_identity(files)) return {};
  return fail(made_for_another_tree(which, "names, sizes or contents of its files differ"));
}

std::vector<Origin> match_trees(FileList old_files, FileList new_files) {
  Known old_contents, made;
  for (std::uint32_t i = 0; i < old_files.size(); ++i) {
    if (old_files[i].size > 0) old_contents.emplace(content_of(old_files[i]), FileIndex(i));
  }
  std::vector<Origin> origins;
  origins.reserve(new_files.size());
  auto same_path = old_files.begin();
  for (std::uint32_t i = 0; i < new_files.size(); ++i) {
    const auto& file = new_files[i];
    if (file.size == 0) {
      origins.push_back({});
      continue;
    }
    while (same_path != old_files.end() && same_path->path < file.path) ++same_path;
    const bool kept = same_path != old_files.end() && same_path->path == file.path &&
                      content_of(*same_path) == content_of(file);
    if (kept) {
      const auto index = static_cast<std::uint32_t>(same_path - old_files.begin());
      origins.push_back({Origin::Kind::old_file, FileIndex(index)});
    } else if (const auto old = old_contents.find(content_of(file)); old != old_contents.end()) {
      origins.push_back({Origin::Kind::old_file, old->second});
    } else if (const auto [first, fresh] = made.emplace(content_of(file), FileIndex(i)); !fresh) {
      origins.push_back({Origin::Kind::new_file, first->second});
    } else {
      origins.push_back({Origin::Kind::made, FileIndex(i)});
    }
  }
  return origins;
}

}  // namespace shoal::delta
