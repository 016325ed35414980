// A piece is its frames decompressed side by side; frames that were not fetched are read from the
// store, one read for each run of them. Only the hash of the whole decides.
#include "edge/piece_job.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "content/merkle.hpp"

namespace shoal::edge {
namespace {

bool has(std::uint64_t mask, std::uint32_t frame) { return (mask >> frame & 1) != 0; }

// Reads the frames that are not fetched. False when the store cannot give them.
bool fill_from_store(const PieceJob& job, MutableByteView plain) {
  const auto& artifact = job.artifact->description;
  std::uint64_t frame_size = artifact.index->frame_size;
  std::uint32_t count = artifact.index->frames_per_piece();
  std::uint64_t piece_begin =
      static_cast<std::uint64_t>(job.piece.value()) * artifact.index->piece_size;
  for (std::uint32_t frame = 0; frame < count;) {
    if (has(job.frames, frame)) {
      ++frame;
      continue;
    }
    std::uint32_t end = frame;
    while (end < count && !has(job.frames, end)) ++end;
    auto part = plain.subspan(frame * frame_size, (end - frame) * frame_size);
    if (!artifact.store || !artifact.store->read(piece_begin + frame * frame_size, part))
      return false;
    frame = end;
  }
  return true;
}

ByteView plain_frame(const PieceJob& job, ByteView piece, std::uint32_t frame) {
  const std::size_t size = job.artifact->description.index->frame_size;
  return piece.subspan(frame * size, size);
}

}  // namespace

std::uint64_t all_frames(std::uint32_t count) { return count >= 64 ? ~0ULL : (1ULL << count) - 1; }

WantedFrame PieceJob::wanted_frame(std::uint32_t frame) const {
  return {location().bundle, location().offset + frame_offsets[frame], stored_frame_size(frame), id,
          frame};
}

std::uint64_t PieceJob::cost() const {
  return artifact->description.index->piece_size + frame_offsets.back();
}

bool PieceJob::uses_store() const {
  return frames != all_frames(artifact->description.index->frames_per_piece());
}

Result<std::shared_ptr<PieceJob>> make_job(JobId id, std::shared_ptr<ArtifactShared> artifact,
                                           const transfer::Edge::Want& want) {
  const auto& index = *artifact->description.index;
  if (want.piece.value() >= index.pieces.size() ||
      want.piece.value() >= artifact->description.piece_hashes->size())
    return fail(ErrorKind::invalid_request,
                fmt::format("fetch piece {}: the artifact has {} pieces", want.piece.value(),
                            index.pieces.size()));
  const auto& location = index.pieces[want.piece.value()];
  std::uint32_t count = index.frames_per_piece();
  if (count == 0 || count > content::kMaxFramesPerPiece || location.frames.size() != count ||
      location.bundle >= index.bundles.size() || location.bundle >= index.bundle_sizes.size())
    return fail(ErrorKind::metadata_invalid,
                fmt::format("fetch piece {}: the edge index does not say where all of it lies",
                            want.piece.value()));
  auto job = std::make_shared<PieceJob>();
  job->id = id;
  job->artifact = std::move(artifact);
  job->piece = want.piece;
  job->frames = want.frames & all_frames(count);
  if (job->frames == 0) job->frames = all_frames(count);
  job->frame_offsets.assign(1, 0);
  for (const auto& frame : location.frames) {
    std::uint64_t end = std::uint64_t{job->frame_offsets.back()} + frame.stored_size;
    if (frame.stored_size == 0 || end > content::kMaxBundleBytes)
      return fail(ErrorKind::metadata_invalid,
                  fmt::format("fetch piece {}: the edge index gives a frame an impossible size",
                              want.piece.value()));
    job->frame_offsets.push_back(static_cast<std::uint32_t>(end));
  }
  job->sources.assign(count, 0);
  return job;
}

Assembly assemble(const PieceJob& job) {
  const auto& artifact = job.artifact->description;
  Assembly result;
  result.plain.resize(artifact.index->piece_size);
  MutableByteView plain(result.plain);
  if (!fill_from_store(job, plain)) {
    result.verdict = Assembly::Verdict::store_failed;
    return result;
  }
  std::size_t frame_size = artifact.index->frame_size;
  for (std::uint32_t frame = 0; frame < artifact.index->frames_per_piece(); ++frame) {
    if (!has(job.frames, frame)) continue;
    ByteView stored =
        ByteView(job.stored).subspan(job.frame_offsets[frame], job.stored_frame_size(frame));
    if (!content::decompress_frame(job.location().frames[frame], stored,
                                   plain.subspan(frame * frame_size, frame_size))) {
      result.verdict = Assembly::Verdict::bad_frame;
      result.frame = frame;
      return result;
    }
  }
  const auto& expected = (*artifact.piece_hashes)[job.piece.value()];
  if (content::piece_hash(plain) == expected) result.verdict = Assembly::Verdict::right;
  return result;
}

std::vector<Evidence> evidence_of(const PieceJob& job, const Assembly& wrong) {
  if (wrong.verdict == Assembly::Verdict::store_failed) return {};
  if (wrong.verdict == Assembly::Verdict::bad_frame)  // those behind it were not even looked at
    return {{wrong.frame, job.sources[wrong.frame], std::nullopt}};
  std::vector<Evidence> out;
  for (std::uint32_t frame = 0; frame < job.sources.size(); ++frame)
    if (has(job.frames, frame))
      out.push_back({frame, job.sources[frame], sha256(plain_frame(job, wrong.plain, frame))});
  return out;
}

std::vector<MirrorId> liars(const PieceJob& job, ByteView right) {
  std::vector<MirrorId> out;
  for (const auto& [frame, source, plain] : job.evidence) {
    const bool lied = !plain || *plain != sha256(plain_frame(job, right, frame));
    if (lied && std::find(out.begin(), out.end(), source) == out.end()) out.push_back(source);
  }
  return out;
}

}  // namespace shoal::edge
