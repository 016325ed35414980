// The last look before the commit: every staged file that is not a mere link to an old one, and
// that StagedVerifier has not seen to, is read again and its merkle root compared. A piece that
// came twice, from a peer and from the edge, may still be waiting to be written: writes are held
// off first. The good files are marked complete, with their stamps: nothing writes to them from
// then on, and the commit insists on those stamps. For a bad one its pieces are hashed, to name
// those that must be fetched again.
#include <fmt/core.h>

#include "content/merkle.hpp"
#include "install/hash_files.hpp"
#include "install/look.hpp"
#include "install/open_folder.hpp"
#include "install/staged_verifier.hpp"

namespace shoal::install {
namespace {

struct Subject {
  std::uint32_t component = 0;
  FileIndex file;
};

// A file that was found right while others were fetched, and that somebody has changed since, is to
// be looked at once more. (A link to an old file is not ours to write: the commit refuses.)
void doubt_changed(const BeneathDir& library, const Plan& plan, const Staging& staging) {
  OpenFolder folder(library);
  for (std::size_t c = 0; c < plan.components.size(); ++c) {
    const auto& component = *plan.components[c].target.component;
    auto staged = known_path(staging.folder.text() + '/' + component.name);
    for (std::uint32_t f = 0; f < component.files.size(); ++f) {
      auto state = staging.components[c].image->file_state(FileIndex(f));
      if (state.place != TreeImage::Place::staged || state.stamp == FileStamp{} ||
          plan.components[c].files[f].origin == FileOrigin::move)
        continue;
      auto place = folder.of(component.files[f].path.beneath(staged));
      auto there = look(place.directory, place.path);
      if (!there || !*there || (*there)->stamp != state.stamp)
        staging.components[c].image->set_file_state(FileIndex(f), {TreeImage::Place::staged, {}});
    }
  }
}

std::vector<Subject> subjects_of(const Plan& plan, const Staging& staging) {
  std::vector<Subject> subjects;
  for (std::uint32_t c = 0; c < plan.components.size(); ++c)
    for (std::uint32_t f = 0; f < plan.components[c].files.size(); ++f)
      if (awaits_verification(plan, staging, c, FileIndex(f)))
        subjects.push_back({c, FileIndex(f)});
  return subjects;
}

Result<std::vector<PieceIndex>> wrong_pieces(TreeImage& image, const TargetComponent& target,
                                             FileIndex file, const StopToken& stop) {
  std::vector<PieceIndex> wrong;
  const auto& entry = target.component->files[file.value()];
  if (entry.size == 0) return wrong;
  Bytes bytes(target.component->content.piece_size);
  auto [first, last] = image.map().pieces_of(file);
  for (auto piece = first; piece <= last; ++piece) {
    SHOAL_TRY(stop.check());
    bool right = image.read(piece.value() * std::uint64_t{bytes.size()}, bytes).has_value() &&
                 content::piece_hash(bytes) == (*target.piece_hashes)[piece.value()];
    if (!right) wrong.push_back(piece);
  }
  return wrong;
}

}  // namespace

Result<std::vector<StagedDamage>> verify_staged(const BeneathDir& library, const Plan& plan,
                                                const Staging& staging, WorkerPool& pool,
                                                const StopToken& stop) {
  for (const auto& component : staging.components) component.image->hold_writes();
  doubt_changed(library, plan, staging);
  auto subjects = subjects_of(plan, staging);
  std::vector<FileToHash> files;
  files.reserve(subjects.size());
  for (const auto& [c, f] : subjects) {
    const auto& component = *plan.components[c].target.component;
    const auto& entry = component.files[f.value()];
    files.push_back({entry.path.beneath(known_path(staging.folder.text() + '/' + component.name)),
                     entry.size, true});
  }
  auto digests = hash_files(library, files, pool, stop);
  SHOAL_TRY(stop.check());
  std::vector<StagedDamage> damage;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const auto& [c, f] = subjects[i];
    const auto& target = plan.components[c].target;
    auto& image = *staging.components[c].image;
    if (!digests[i].error && digests[i].stamp != FileStamp{} &&
        digests[i].root == target.component->files[f.value()].root) {
      image.set_file_state(f, {TreeImage::Place::staged, digests[i].stamp});
      continue;
    }
    SHOAL_ASSIGN(auto pieces, wrong_pieces(image, target, f, stop));
    if (pieces.empty())
      return fail(digests[i].error.value_or(Error{
          ErrorKind::verification_failed,
          fmt::format("verify {}: its pieces are right, its hash is not", files[i].path.text()),
          {}}));
    damage.push_back({c, f, std::move(pieces)});
  }
  if (!damage.empty())
    for (const auto& component : staging.components) component.image->allow_writes();
  return damage;
}

}  // namespace shoal::install
