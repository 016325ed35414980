// The one pass over a tree: every file is read once, in image order, and from the same bytes come
// piece hashes, file roots, chunks and stored frames. Private to `publish`.
#pragma once

#include <functional>
#include <vector>

#include "base/beneath_dir.hpp"
#include "base/error.hpp"
#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "content/manifest.hpp"
#include "content/recipe.hpp"
#include "publish/bundle_writer.hpp"
#include "publish/tree_scan.hpp"

namespace shoal::publish {

struct PieceHashes {
  std::vector<Digest> v2;
  std::vector<Sha1Digest> v1;  // empty unless hybrid
};

struct PassInput {
  const BeneathDir& tree;
  const std::vector<FileStamp>& stamps;  // by FileIndex: what the scan saw
  std::uint32_t frame_size = 0;
  int zstd_level = 0;
  bool hybrid = false;
  StopToken stop{};
};

// Fills the roots of `component`'s files, which are laid out already, and `recipes`; appends every
// piece to `bundles`. Memory is bounded by two windows of pieces (a few per thread) and their
// frames. Errors: io_error (also a file that is no longer what the scan saw), not_allowed,
// cancelled, and those of BundleWriter.
Result<PieceHashes> run_piece_pass(const PassInput& input, content::Component& component,
                                   content::Recipes& recipes, BundleWriter& bundles,
                                   WorkerPool& pool, const BuildProgress& progress);

}  // namespace shoal::publish
