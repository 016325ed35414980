// A release of one component made in memory from a folder, with `content` alone: what a test needs
// to play the publisher. Small trees only: the whole image is kept.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "content/edge_index.hpp"
#include "content/image.hpp"
#include "content/manifest.hpp"
#include "content/recipe.hpp"

namespace shoal::test {

struct SampleOptions {
  std::string name = "base";
  std::uint32_t piece_size = 64 * 1024;
  // The class of a file by its path; content where absent.
  std::function<content::FileClass(const std::string& path)> class_of;
};

struct SampleRelease {
  std::shared_ptr<const content::Component> component;
  std::shared_ptr<const content::Recipes> recipes;
  std::shared_ptr<const std::vector<Digest>> piece_hashes;
  std::shared_ptr<const content::EdgeIndex> index;  // frames stored plain, one block each or more
  Bytes image;

  ByteView piece(PieceIndex index_of_piece) const;
};

// Throws std::runtime_error when the folder holds what cannot be published.
SampleRelease make_sample_release(const std::filesystem::path& tree,
                                  const SampleOptions& options = {});

}  // namespace shoal::test
