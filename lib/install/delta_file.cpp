// The staging of a tree of one file, without an old one.
#include "install/delta_file.hpp"

#include <algorithm>
#include <mutex>

#include "content/merkle.hpp"
#include "install/coverage.hpp"
#include "install/look.hpp"
#include "install/stage_files.hpp"

namespace shoal::install {
namespace {

Result<void> find_pieces(StagedComponent& staged, const std::vector<Digest>& piece_hashes,
                         std::uint32_t piece_size, WorkerPool& pool, const StopToken& stop) {
  std::mutex mutex;
  pool.parallel_for(piece_hashes.size(), [&](std::size_t i) {
    if (stop.stop_requested()) return;
    Bytes bytes(piece_size);
    bool right = staged.image->read(i * std::uint64_t{piece_size}, bytes).has_value() &&
                 content::piece_hash(bytes) == piece_hashes[i];
    std::lock_guard lock(mutex);
    if (right) staged.have.add(PieceIndex(static_cast<std::uint32_t>(i)));
  });
  return stop.check();
}

}  // namespace

RelativePath staged_delta(const std::string& change, const std::string& component) {
  return known_path(kDeltaName).beneath(staging_folder(change, '@' + component));
}

content::Component delta_component(const content::DeltaArtifact& delta) {
  content::Component component;
  content::FileEntry file{known_path(kDeltaName)};
  file.size = delta.size;
  component.files.push_back(std::move(file));
  component.content.piece_size = delta.piece_size;
  component.content.image_size = delta.image_size();
  component.content.info_hash = delta.info_hash;
  return component;
}

Result<StagedComponent> stage_delta(const BeneathDir& library, const std::string& change,
                                    const std::string& component,
                                    const content::DeltaArtifact& delta,
                                    const std::vector<Digest>& piece_hashes, WorkerPool& pool,
                                    const StopToken& stop) {
  SHOAL_TRY(check_name("change", change));
  SHOAL_TRY(check_name("component", component));
  auto folder = staging_folder(change, '@' + component);
  auto manifest = std::make_shared<const content::Component>(delta_component(delta));
  Plan plan(folder);
  plan.components.push_back({{manifest, nullptr, nullptr, nullptr}, {FilePlan{}}, {}});
  SHOAL_ASSIGN(auto file, FileStager(library, plan, 0, folder, stop).prepare(FileIndex(0)));
  StagedComponent staged;
  staged.have = transfer::PieceSet(manifest->content.piece_count());
  staged.image = std::make_shared<TreeImage>(library, folder, folder, manifest,
                                             std::vector<TreeImage::FileState>{file.state});
  if (file.existed) SHOAL_TRY(find_pieces(staged, piece_hashes, delta.piece_size, pool, stop));
  Coverage gaps(*manifest);
  for (std::uint32_t p = 0; p < staged.have.size(); ++p) {
    auto blocks = gaps.blocks_of(PieceIndex(p));
    if (!staged.have.has(PieceIndex(p)) && std::ranges::find(blocks, true) != blocks.end())
      staged.partial.emplace(PieceIndex(p), std::move(blocks));
  }
  return staged;
}

}  // namespace shoal::install
