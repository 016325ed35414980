// Bundle by bundle, so that each is read once however many releases share it: at most one bundle
// (32 MiB) and one piece per thread are in memory.
#include "publish/check_bundles.hpp"

#include <fmt/core.h>

#include "base/file.hpp"
#include "content/merkle.hpp"

namespace shoal::publish {

void BundleCheck::add(const std::string& name, const content::EdgeIndex& index,
                      const std::vector<Digest>& piece_hashes) {
  for (std::uint32_t i = 0; i < index.pieces.size() && i < piece_hashes.size(); ++i) {
    const auto& location = index.pieces[i];
    auto& bundle = bundles_[index.bundles[location.bundle]];
    bundle.size = index.bundle_sizes[location.bundle];
    bundle.pieces.try_emplace(
        {location.offset, piece_hashes[i]},
        Piece{name, i, index.frame_size, index.piece_size, piece_hashes[i], location});
  }
}

bool BundleCheck::piece_is_good(const Piece& piece, ByteView bundle) {
  Bytes plain(piece.piece_size);
  std::uint64_t offset = piece.location.offset;
  std::size_t out = 0;
  for (const auto& frame : piece.location.frames) {
    if (offset > bundle.size() || frame.stored_size > bundle.size() - offset) return false;
    if (plain.size() - out < piece.frame_size) return false;
    if (!content::decompress_frame(frame, bundle.subspan(offset, frame.stored_size),
                                   MutableByteView(plain).subspan(out, piece.frame_size)))
      return false;
    offset += frame.stored_size;
    out += piece.frame_size;
  }
  return out == plain.size() && content::piece_hash(plain) == piece.hash;
}

void BundleCheck::check_bundle(const Layout& layout, const Digest& digest, const Bundle& bundle,
                               std::vector<Finding>& findings) {
  std::string path = content::bundle_path(digest);
  auto bytes = read_file(layout.root() / path, content::kMaxBundleBytes);
  if (!bytes) {
    findings.push_back({path, bytes.error().message});
    return;
  }
  if (bytes->size() != bundle.size)
    findings.push_back(
        {path, fmt::format("it has {} bytes, its edge index says {}", bytes->size(), bundle.size)});
  if (sha256(*bytes) != digest) findings.push_back({path, "its bytes do not have its name's hash"});
  for (const auto& [key, piece] : bundle.pieces)
    if (!piece_is_good(piece, *bytes))
      findings.push_back(
          {path, fmt::format("piece {} of {} is damaged", piece.number, piece.artifact)});
}

void BundleCheck::run(const Layout& layout, WorkerPool& pool, const CheckProgress& progress,
                      CheckReport& report) {
  std::vector<const std::pair<const Digest, Bundle>*> work;
  std::uint64_t total = 0;
  for (const auto& entry : bundles_) {
    work.push_back(&entry);
    total += entry.second.size;
    report.pieces += entry.second.pieces.size();
  }
  std::mutex mutex;  // over the report and the progress
  std::uint64_t done = 0;
  pool.parallel_for(work.size(), [&](std::size_t i) {
    std::vector<Finding> findings;
    check_bundle(layout, work[i]->first, work[i]->second, findings);
    std::lock_guard lock(mutex);
    report.findings.insert(report.findings.end(), findings.begin(), findings.end());
    done += work[i]->second.size;
    if (progress) progress(done, total);
  });
  report.bundles = work.size();
  report.bundle_bytes = total;
}

}  // namespace shoal::publish
