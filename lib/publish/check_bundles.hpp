// The part of the check that reads the bundles: each one's digest, and each piece in it decoded and
// hashed.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "content/edge_index.hpp"
#include "publish/check.hpp"
#include "publish/layout.hpp"

namespace shoal::publish {

class BundleCheck {
 public:
  // An artifact's pieces; `name` is for findings. The same piece of several artifacts is checked
  // once.
  void add(const std::string& name, const content::EdgeIndex& index,
           const std::vector<Digest>& piece_hashes);
  bool names(const Digest& bundle) const { return bundles_.contains(bundle); }
  // Reads every bundle that was added, on the pool.
  void run(const Layout& layout, WorkerPool& pool, const CheckProgress& progress,
           CheckReport& report);

 private:
  struct Piece {
    std::string artifact;
    std::uint32_t number = 0;
    std::uint32_t frame_size = 0;
    std::uint32_t piece_size = 0;
    Digest hash;
    content::PieceLocation location;
  };
  struct Bundle {
    std::uint64_t size = 0;
    std::map<std::pair<std::uint64_t, Digest>, Piece> pieces;  // by offset and hash
  };
  static void check_bundle(const Layout& layout, const Digest& digest, const Bundle& bundle,
                           std::vector<Finding>& findings);
  static bool piece_is_good(const Piece& piece, ByteView bundle);

  std::map<Digest, Bundle> bundles_;
};

}  // namespace shoal::publish
