// Walks the folder, sorts, lays out, copies every file into the image, and derives hashes, recipes
// and an index of frames that are stored plain.
#include "support/sample_release.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/file.hpp"
#include "content/merkle.hpp"

namespace shoal::test {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMaxFileBytes = 256ULL << 20;  // a test's file, read at once

RelativePath path_in(const fs::path& path, const fs::path& tree) {
  auto parsed = RelativePath::parse(path.lexically_relative(tree).generic_string());
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

// Everything but offsets and geometry, which need the whole.
content::Component list_tree(const fs::path& tree, const SampleOptions& options) {
  content::Component component;
  component.name = options.name;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) {
    auto path = path_in(entry.path(), tree);
    auto status = entry.symlink_status();
    if (fs::is_symlink(status)) {
      component.symlinks.push_back({path, fs::read_symlink(entry.path()).string()});
    } else if (fs::is_directory(status)) {
      if (fs::is_empty(entry.path())) component.directories.push_back(path);
    } else if (fs::is_regular_file(status)) {
      content::FileEntry file{path, entry.file_size(), {}, 0, false, content::FileClass::content};
      file.executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
      if (options.class_of) file.file_class = options.class_of(path.text());
      component.files.push_back(std::move(file));
    } else {
      throw std::runtime_error("cannot publish " + path.text());
    }
  }
  auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
  std::sort(component.files.begin(), component.files.end(), by_path);
  std::sort(component.symlinks.begin(), component.symlinks.end(), by_path);
  std::sort(component.directories.begin(), component.directories.end());
  return component;
}

content::EdgeIndex plain_index(const SampleRelease& release, std::uint32_t piece_size) {
  content::EdgeIndex index;
  index.piece_size = piece_size;
  index.frame_size = std::max(content::kBlockSize, piece_size / content::kMaxFramesPerPiece);
  index.bundles.push_back(sha256(release.image));
  index.bundle_sizes.push_back(release.image.size());
  for (std::uint64_t at = 0; at < release.image.size(); at += piece_size) {
    content::PieceLocation location{0, at, {}};
    location.frames.assign(piece_size / index.frame_size, {index.frame_size, false});
    index.pieces.push_back(std::move(location));
  }
  return index;
}

}  // namespace

ByteView SampleRelease::piece(PieceIndex index_of_piece) const {
  std::size_t size = component->content.piece_size;
  return ByteView(image).subspan(index_of_piece.value() * size, size);
}

SampleRelease make_sample_release(const fs::path& tree, const SampleOptions& options) {
  auto component = list_tree(tree, options);
  component.content.piece_size = options.piece_size;
  component.content.image_size = content::lay_out(component.files, options.piece_size);
  SampleRelease release;
  release.image.resize(component.content.image_size);
  content::Recipes recipes;
  for (auto& file : component.files) {
    auto& chunks = recipes.files.emplace_back();
    if (file.size == 0) continue;
    auto bytes = read_file(tree / file.path.text(), kMaxFileBytes);
    if (!bytes) throw std::runtime_error(bytes.error().message);
    content::FileHasher hasher;
    hasher.update(*bytes);
    file.root = hasher.finish();
    content::Chunker chunker([&](const content::Chunk& chunk) { chunks.push_back(chunk); });
    chunker.update(*bytes);
    chunker.finish();
    std::copy(bytes->begin(), bytes->end(),
              release.image.begin() + static_cast<std::ptrdiff_t>(file.offset));
  }
  std::vector<Digest> hashes;
  for (std::size_t at = 0; at < release.image.size(); at += options.piece_size)
    hashes.push_back(content::piece_hash(ByteView(release.image).subspan(at, options.piece_size)));
  release.index = std::make_shared<content::EdgeIndex>(plain_index(release, options.piece_size));
  release.piece_hashes = std::make_shared<std::vector<Digest>>(std::move(hashes));
  release.recipes = std::make_shared<content::Recipes>(std::move(recipes));
  release.component = std::make_shared<content::Component>(std::move(component));
  return release;
}

}  // namespace shoal::test
