// Trees in memory, their deltas, and what is made of them.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "content/merkle.hpp"
#include "delta/apply_artifact.hpp"
#include "delta/make_artifact.hpp"
#include "samples.hpp"

namespace shoal::delta::test {

using Tree = std::map<std::string, Bytes>;

inline Digest root_of(ByteView bytes) {
  content::FileHasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

struct Described {
  content::Component component;
  content::Recipes recipes;
  std::vector<const Bytes*> contents;  // by file
};

inline Described describe(const Tree& tree) {
  Described out;
  for (const auto& [path, bytes] : tree) {
    content::FileEntry file{RelativePath::parse(path).value()};
    file.size = bytes.size();
    file.root = root_of(bytes);
    out.component.files.push_back(std::move(file));
    out.contents.push_back(&bytes);
    auto& chunks = out.recipes.files.emplace_back();
    content::Chunker chunker([&](const content::Chunk& chunk) { chunks.push_back(chunk); });
    chunker.update(bytes);
    chunker.finish();
  }
  return out;
}

struct MadeDelta {
  Bytes bytes;
  MadeArtifact made;
};

inline MadeDelta make_tree_delta(const Tree& old_tree, const Tree& new_tree,
                                 std::uint64_t group_bytes = 0) {
  const auto old_side = describe(old_tree);
  const auto new_side = describe(new_tree);
  const auto reader = [](const Described& side) {
    return [&side](FileIndex file, std::uint64_t offset, MutableByteView out) -> Result<void> {
      std::copy_n(side.contents[file.value()]->begin() + static_cast<std::ptrdiff_t>(offset),
                  out.size(), out.begin());
      return {};
    };
  };
  Bytes blocks;
  MakeOptions options;
  options.group_bytes = group_bytes;
  options.read_old = reader(old_side);
  options.read_new = reader(new_side);
  options.write = [&](ByteView bytes) -> Result<void> {
    blocks.insert(blocks.end(), bytes.begin(), bytes.end());
    return {};
  };
  MadeDelta delta;
  auto made = make_artifact({old_side.component.files, old_side.recipes},
                            {new_side.component.files, new_side.recipes}, options);
  EXPECT_TRUE(made) << made.error().describe();
  if (!made) return delta;
  delta.made = *std::move(made);
  delta.bytes = format_head(old_side.component.files, new_side.component.files, delta.made.head);
  delta.bytes.insert(delta.bytes.end(), blocks.begin(), blocks.end());
  return delta;
}

// The new tree, of which only the manifest is known, from the old one. Every file is verified.
inline Result<Tree> apply_tree_delta(const Tree& old_tree, const Described& new_side,
                                     ByteView delta) {
  const auto old_side = describe(old_tree);
  const auto& new_files = new_side.component.files;
  const ReadNext next = [&](MutableByteView out) -> Result<void> {
    if (out.size() > delta.size()) return fail(ErrorKind::metadata_invalid, "the delta ends early");
    std::copy_n(delta.begin(), out.size(), out.begin());
    delta = delta.subspan(out.size());
    return {};
  };
  SHOAL_ASSIGN(const auto head, read_head(next, old_side.component.files, new_files));
  std::vector<Bytes> made;
  for (const auto& file : new_files) made.emplace_back(file.size);
  std::vector<MemorySource> sources;
  for (const auto* bytes : old_side.contents) sources.emplace_back(*bytes);
  ApplyOptions options;
  for (const auto& source : sources) options.old_files.push_back(&source);
  options.read = next;
  options.write = [&](FileIndex file, std::uint64_t offset, ByteView bytes) -> Result<void> {
    auto& out = made[file.value()];
    if (offset > out.size() || bytes.size() > out.size() - offset) {
      return fail(ErrorKind::internal, "written beyond a file");
    }
    std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(offset));
    return {};
  };
  SHOAL_TRY(apply_artifact(head, options));
  if (!delta.empty()) return fail(ErrorKind::metadata_invalid, "bytes after the delta's end");
  Tree tree;
  const auto origins = match_trees(old_side.component.files, new_files);
  for (std::size_t i = 0; i < new_files.size(); ++i) {
    if (origins[i].kind == Origin::Kind::old_file) {
      made[i] = *old_side.contents[origins[i].source.value()];
    } else if (origins[i].kind == Origin::Kind::new_file) {
      made[i] = made[origins[i].source.value()];
    }
    if (root_of(made[i]) != new_files[i].root) {
      return fail(ErrorKind::verification_failed, new_files[i].path.text());
    }
    tree[new_files[i].path.text()] = made[i];
  }
  return tree;
}

// Files moved, renamed, merged, split, edited, copied, added and removed.
inline Tree edited_tree(Random& random, Tree tree, unsigned edits) {
  const auto any = [&] {
    auto file = tree.begin();
    std::advance(file, static_cast<std::ptrdiff_t>(below(random, tree.size())));
    return file;
  };
  for (unsigned i = 0; i < edits && !tree.empty(); ++i) {
    const std::string fresh = "new/" + std::to_string(below(random, 5)) + "/" + std::to_string(i);
    auto file = any();
    switch (below(random, 8)) {
      case 0:  // renamed or moved
        tree[fresh] = std::move(file->second);
        tree.erase(file);
        break;
      case 1:  // moved and edited
        tree[fresh] = edited(random, file->second, 5);
        tree.erase(file);
        break;
      case 2: {  // merged with another
        const Bytes other = any()->second;
        file->second.insert(file->second.end(), other.begin(), other.end());
        break;
      }
      case 3: {  // split
        const auto at = static_cast<std::ptrdiff_t>(file->second.size() / 3);
        tree[fresh] = Bytes(file->second.begin() + at, file->second.end());
        file->second.resize(static_cast<std::size_t>(at));
        break;
      }
      case 4:
        tree.erase(file);
        break;
      case 5:
        tree[fresh] = file->second;
        break;
      case 6:
        tree[fresh] = random_bytes(random, below(random, 5000));
        break;
      default:
        file->second = edited(random, std::move(file->second), 3);
    }
  }
  return tree;
}

inline Tree random_tree(Random& random, std::size_t files, std::size_t max_bytes) {
  Tree tree;
  for (std::size_t i = 0; i < files; ++i) {
    const std::string path = "d" + std::to_string(below(random, 3)) + "/f" + std::to_string(i);
    tree[path] = random_bytes(random, below(random, max_bytes));
  }
  return tree;
}

}  // namespace shoal::delta::test
