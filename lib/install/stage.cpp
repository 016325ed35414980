// Staging, component by component: make the files, hash what an earlier run left, copy whole files,
// apply the delta, copy chunks, then settle piece by piece what is there. Coverage (which bytes
// were copied) decides which pieces are worth hashing, and which blocks of the others need no
// fetching. Pieces made only of files that stay or move are believed as their stamps are; every
// other one is hashed.
#include "install/stage.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>

#include "content/merkle.hpp"
#include "install/apply_delta.hpp"
#include "install/coverage.hpp"
#include "install/hash_files.hpp"
#include "install/look.hpp"
#include "install/reuse.hpp"
#include "install/stage_files.hpp"

namespace shoal::install {
namespace {

constexpr std::size_t kChunksPerTask = 256;  // about 4 MiB: the unit of parallel work
constexpr std::size_t kItemsPerWave = 4096;  // between two steps: where a kill is tested

// Runs body(i) for i in [0, count) on the pool, in waves with a named step before each. The first
// error ends it.
Result<void> in_waves(std::size_t count, WorkerPool& pool, const StepHook& step,
                      std::string_view name, const std::function<Result<void>(std::size_t)>& body) {
  std::mutex mutex;
  Result<void> outcome;
  for (std::size_t first = 0; first < count && outcome; first += kItemsPerWave) {
    if (step) step(fmt::format("{}:{}", name, first / kItemsPerWave));
    pool.parallel_for(std::min(kItemsPerWave, count - first), [&](std::size_t i) {
      {
        std::lock_guard lock(mutex);
        if (!outcome) return;
      }
      auto done = body(first + i);
      std::lock_guard lock(mutex);
      if (!done && outcome) outcome = std::move(done);
    });
  }
  return outcome;
}

class ComponentStager {
 public:
  ComponentStager(const BeneathDir& library, const Plan& plan, std::uint32_t component,
                  const RelativePath& staging, WorkerPool& pool, const StopToken& stop,
                  const StepHook& step)
      : library_(library),
        plan_(plan),
        component_(component),
        target_(plan.components[component].target),
        manifest_(*target_.component),
        staging_(staging),
        pool_(pool),
        stop_(stop),
        step_(step),
        files_(library, plan, component, staging, stop),
        coverage_(manifest_) {}

  // `delta`: may be null.
  Result<StagedComponent> run(DeltaFeed* delta);

  std::atomic<std::uint64_t> reused_bytes{0};
  std::atomic<std::uint64_t> written_bytes{0};
  std::uint64_t delta_bytes = 0;
  std::uint64_t delta_found_bytes = 0;
  std::uint64_t resumed_bytes = 0;

 private:
  Result<void> make_files();
  Result<void> resume();
  Result<void> copy_files();
  Result<void> apply(DeltaFeed& delta);
  Result<void> keep_right_pieces();
  Result<void> copy_all_chunks();
  Result<void> settle();
  Result<void> audit(const std::vector<PieceIndex>& pieces);
  Result<void> restage(FileIndex file);
  void lose_blocks(PieceIndex piece, const std::function<bool(FileIndex)>& of_file);
  Result<std::vector<PieceIndex>> hash_pieces(const std::vector<PieceIndex>& pieces,
                                              std::string_view step);
  void add_pieces_of(FileIndex file, transfer::PieceSet& touched,
                     std::vector<PieceIndex>& pieces) const;
  std::vector<content::Extent> extents_of(PieceIndex piece) const;
  bool is_finished(FileIndex file) const;
  bool have_all(FileIndex file, std::uint64_t offset, std::uint64_t length) const;

  const BeneathDir& library_;
  const Plan& plan_;
  const std::uint32_t component_;
  const TargetComponent& target_;
  const content::Component& manifest_;
  const RelativePath staging_;
  WorkerPool& pool_;
  const StopToken& stop_;
  const StepHook& step_;
  FileStager files_;
  Coverage coverage_;
  std::vector<FileStager::Prepared> prepared_;
  std::vector<bool> made_;     // files that the delta made; empty: none
  std::vector<bool> audited_;  // files taken whole that were hashed after all
  StagedComponent out_;
};

std::vector<content::Extent> ComponentStager::extents_of(PieceIndex piece) const {
  std::uint64_t size = manifest_.content.piece_size;
  return out_.image->map().extents(piece.value() * size, size);
}

// In place or linked, not to be written: believed as its stamp is.
bool ComponentStager::is_finished(FileIndex file) const {
  return out_.image->file_state(file).stamp != FileStamp{};
}

bool ComponentStager::have_all(FileIndex file, std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t begin = manifest_.files[file.value()].offset + offset;
  std::uint64_t size = manifest_.content.piece_size;
  for (auto p = begin / size; p <= (begin + length - 1) / size; ++p)
    if (!out_.have.has(PieceIndex(static_cast<std::uint32_t>(p)))) return false;
  return true;
}

Result<void> ComponentStager::make_files() {
  std::size_t count = manifest_.files.size();
  prepared_.resize(count);
  SHOAL_TRY(in_waves(count, pool_, step_, "stage.files", [this](std::size_t f) -> Result<void> {
    SHOAL_ASSIGN(prepared_[f], files_.prepare(FileIndex(static_cast<std::uint32_t>(f))));
    return {};
  }));
  std::vector<TreeImage::FileState> states;
  states.reserve(count);
  for (const auto& file : prepared_) states.push_back(file.state);
  out_.image = std::make_shared<TreeImage>(library_, plan_.folder, staging_, target_.component,
                                           std::move(states));
  for (std::size_t f = 0; f < count; ++f) {
    if (prepared_[f].state.stamp == FileStamp{}) continue;
    coverage_.add(manifest_.files[f].offset, manifest_.files[f].size);
    reused_bytes += manifest_.files[f].size;
  }
  return {};
}

// Hashes these pieces and adds the right ones to `have`; returns the others.
Result<std::vector<PieceIndex>> ComponentStager::hash_pieces(const std::vector<PieceIndex>& pieces,
                                                             std::string_view step) {
  std::mutex mutex;
  std::vector<PieceIndex> wrong;
  auto hash_one = [&](std::size_t i) -> Result<void> {
    SHOAL_TRY(stop_.check());
    Bytes bytes(manifest_.content.piece_size);
    std::uint64_t offset = std::uint64_t{pieces[i].value()} * bytes.size();
    bool right = out_.image->read(offset, bytes).has_value() &&
                 content::piece_hash(bytes) == (*target_.piece_hashes)[pieces[i].value()];
    std::lock_guard lock(mutex);
    if (right)
      out_.have.add(pieces[i]);
    else
      wrong.push_back(pieces[i]);
    return {};
  };
  SHOAL_TRY(in_waves(pieces.size(), pool_, step_, step, hash_one));
  std::sort(wrong.begin(), wrong.end());
  return wrong;
}

// Those that are not in `touched` yet.
void ComponentStager::add_pieces_of(FileIndex file, transfer::PieceSet& touched,
                                    std::vector<PieceIndex>& pieces) const {
  if (manifest_.files[file.value()].size == 0) return;
  auto [first, last] = out_.image->map().pieces_of(file);
  for (auto p = first; p <= last; ++p) {
    if (touched.has(p)) continue;
    touched.add(p);
    pieces.push_back(p);
  }
}

// What an earlier run of this change left is taken for nothing until its piece's hash is right.
Result<void> ComponentStager::resume() {
  transfer::PieceSet touched(manifest_.content.piece_count());
  std::vector<PieceIndex> pieces;
  for (std::uint32_t f = 0; f < prepared_.size(); ++f)
    if (prepared_[f].existed) add_pieces_of(FileIndex(f), touched, pieces);
  SHOAL_TRY(hash_pieces(pieces, "stage.resume"));
  for (auto piece : pieces)
    if (out_.have.has(piece))
      for (const auto& extent : extents_of(piece))
        if (prepared_[extent.file.value()].existed) resumed_bytes += extent.length;
  return {};
}

Result<void> ComponentStager::copy_files() {
  std::vector<FileIndex> files;
  for (std::uint32_t f = 0; f < prepared_.size(); ++f) {
    std::uint64_t size = manifest_.files[f].size;
    if (prepared_[f].copy && size > 0 && !have_all(FileIndex(f), 0, size))
      files.push_back(FileIndex(f));
  }
  std::mutex mutex;
  return in_waves(files.size(), pool_, step_, "stage.copy", [&](std::size_t i) -> Result<void> {
    const auto& entry = manifest_.files[files[i].value()];
    SHOAL_ASSIGN(auto written, files_.copy(files[i]));
    if (!written) return {};  // the old file has changed meanwhile: fetched instead
    written_bytes += *written;
    reused_bytes += entry.size;
    std::lock_guard lock(mutex);
    coverage_.add(entry.offset, entry.size);
    return {};
  });
}

Result<void> ComponentStager::apply(DeltaFeed& delta) {
  SHOAL_ASSIGN(auto outcome, apply_delta({library_, plan_, component_, staging_, delta, *out_.image,
                                          out_.have, pool_, stop_, step_}));
  made_ = std::move(outcome.made);
  out_.delta_error = std::move(outcome.error);
  written_bytes += outcome.written_bytes;
  delta_found_bytes = outcome.found_bytes;
  for (std::uint32_t f = 0; f < made_.size(); ++f) {
    if (!made_[f]) continue;
    coverage_.add(manifest_.files[f].offset, manifest_.files[f].size);
    delta_bytes += manifest_.files[f].size;
  }
  // One that broke off has made parts of the others.
  if (out_.delta_error && outcome.written_bytes > 0) return keep_right_pieces();
  return {};
}

// Of the files that the delta was to make and did not.
Result<void> ComponentStager::keep_right_pieces() {
  auto touched = out_.have;
  std::vector<PieceIndex> pieces;
  for (std::uint32_t f = 0; f < made_.size(); ++f) {
    const auto& planned = plan_.components[component_].files[f];
    if (planned.by_delta && !made_[f]) add_pieces_of(FileIndex(f), touched, pieces);
  }
  SHOAL_TRY(hash_pieces(pieces, "stage.check"));
  return {};
}

Result<void> ComponentStager::copy_all_chunks() {
  std::vector<ReuseSource> sources;
  std::copy_if(plan_.reuse.begin(), plan_.reuse.end(), std::back_inserter(sources),
               [this](const ReuseSource& source) {
                 bool made = !made_.empty() && made_[source.file.value()];
                 return source.component == component_ && !made &&
                        !have_all(source.file, source.offset, source.chunk.length);
               });
  std::size_t tasks = (sources.size() + kChunksPerTask - 1) / kChunksPerTask;
  std::mutex mutex;
  return in_waves(tasks, pool_, step_, "stage.reuse", [&](std::size_t t) -> Result<void> {
    auto part = std::span(sources).subspan(t * kChunksPerTask);
    part = part.first(std::min(part.size(), kChunksPerTask));
    SHOAL_ASSIGN(auto ranges, copy_chunks(library_, plan_, part, *out_.image, stop_));
    std::lock_guard lock(mutex);
    for (const auto& range : ranges) {
      coverage_.add(manifest_.files[range.file.value()].offset + range.offset, range.length);
      written_bytes += range.length;
      reused_bytes += range.length;
    }
    return {};
  });
}

void ComponentStager::lose_blocks(PieceIndex piece, const std::function<bool(FileIndex)>& of_file) {
  for (const auto& extent : extents_of(piece)) {
    if (!of_file(extent.file)) continue;
    std::uint64_t last = (extent.image_offset + extent.length - 1) / content::kBlockSize;
    for (auto b = extent.image_offset / content::kBlockSize; b <= last; ++b)
      coverage_.lose_block(b);
  }
}

// A file that stays or moves is damaged although its stamp is right: it is staged after all, with
// the bytes it has, and only those of its pieces that are still right are believed.
Result<void> ComponentStager::restage(FileIndex file) {
  if (is_finished(file)) {
    SHOAL_TRY(files_.restage(file));
    out_.image->set_file_state(file, {TreeImage::Place::staged, {}});
    written_bytes += manifest_.files[file.value()].size;
  }
  auto [first, last] = out_.image->map().pieces_of(file);
  std::vector<PieceIndex> pieces;
  for (auto p = first; p <= last; ++p) {
    if (out_.have.has(p) || coverage_.has_piece(p)) pieces.push_back(p);
    out_.have.remove(p);
  }
  SHOAL_TRY(hash_pieces(pieces, "stage.recheck"));
  for (auto p = first; p <= last; ++p)
    if (!out_.have.has(p)) lose_blocks(p, [file](FileIndex other) { return other == file; });
  return {};
}

// Hashes the files that stay, move or were copied and have bytes in these pieces. Such files are
// small: a large one shares its pieces with no other.
Result<void> ComponentStager::audit(const std::vector<PieceIndex>& pieces) {
  audited_.resize(manifest_.files.size());
  std::vector<FileIndex> files;
  std::vector<FileToHash> to_hash;
  for (auto piece : pieces)
    for (const auto& extent : extents_of(piece)) {
      auto f = extent.file.value();
      if (audited_[f] || !(is_finished(extent.file) || prepared_[f].copy)) continue;
      audited_[f] = true;
      const auto& entry = manifest_.files[f];
      bool staged = out_.image->file_state(extent.file).place == TreeImage::Place::staged;
      files.push_back(extent.file);
      to_hash.push_back({entry.path.beneath(staged ? staging_ : plan_.folder), entry.size});
    }
  auto digests = hash_files(library_, to_hash, pool_, stop_);
  SHOAL_TRY(stop_.check());
  for (std::size_t i = 0; i < files.size(); ++i)
    if (digests[i].error || digests[i].root != manifest_.files[files[i].value()].root)
      SHOAL_TRY(restage(files[i]));
  return {};
}

Result<void> ComponentStager::settle() {
  std::vector<PieceIndex> incomplete;
  std::vector<PieceIndex> doubtful;
  for (std::uint32_t p = 0; p < manifest_.content.piece_count(); ++p) {
    PieceIndex piece(p);
    if (out_.have.has(piece)) continue;
    auto extents = extents_of(piece);
    if (!coverage_.has_piece(piece))
      incomplete.push_back(piece);
    else if (std::all_of(extents.begin(), extents.end(),
                         [this](const auto& extent) { return is_finished(extent.file); }))
      out_.have.add(piece);
    else
      doubtful.push_back(piece);
  }
  // What is fetched for these is checked together with the parts that are here: a damaged part
  // would make right bytes look wrong.
  SHOAL_TRY(audit(incomplete));
  SHOAL_ASSIGN(auto wrong, hash_pieces(doubtful, "stage.check"));
  SHOAL_TRY(audit(wrong));
  for (auto piece : wrong)  // not explained by that: a recipe or the old copy lied
    if (!out_.have.has(piece) && coverage_.has_piece(piece))
      lose_blocks(piece, [this](FileIndex file) { return !is_finished(file); });
  for (std::uint32_t p = 0; p < manifest_.content.piece_count(); ++p) {
    if (out_.have.has(PieceIndex(p))) continue;
    auto blocks = coverage_.blocks_of(PieceIndex(p));
    if (std::find(blocks.begin(), blocks.end(), true) != blocks.end())
      out_.partial.emplace(PieceIndex(p), std::move(blocks));
  }
  return {};
}

Result<StagedComponent> ComponentStager::run(DeltaFeed* delta) {
  out_.have = transfer::PieceSet(manifest_.content.piece_count());
  SHOAL_TRY(make_files());
  SHOAL_TRY(resume());
  SHOAL_TRY(copy_files());
  if (delta != nullptr) SHOAL_TRY(apply(*delta));
  SHOAL_TRY(copy_all_chunks());
  SHOAL_TRY(settle());
  return std::move(out_);
}

}  // namespace

Result<Staging> stage(const BeneathDir& library, const std::string& change, const Plan& plan,
                      WorkerPool& pool, const StopToken& stop, const StepHook& step,
                      const DeltaFeeds& deltas) {
  SHOAL_TRY(check_name("change", change));
  Staging staging(staging_folder(change));
  SHOAL_TRY(library.make_dirs(staging.folder));
  for (std::uint32_t c = 0; c < plan.components.size(); ++c) {
    const auto& name = plan.components[c].target.component->name;
    SHOAL_TRY(check_name("component", name));
    ComponentStager stager(library, plan, c, staging_folder(change, name), pool, stop, step);
    bool by_delta = c < deltas.size() && plan.components[c].choice.way == Way::delta;
    SHOAL_ASSIGN(auto staged, stager.run(by_delta ? deltas[c].get() : nullptr));
    staging.components.push_back(std::move(staged));
    staging.reused_bytes += stager.reused_bytes;
    staging.written_bytes += stager.written_bytes;
    staging.delta_bytes += stager.delta_bytes;
    staging.delta_found_bytes += stager.delta_found_bytes;
    staging.resumed_bytes += stager.resumed_bytes;
  }
  if (step) step("stage.done");
  return staging;
}

Result<void> discard_staging(const BeneathDir& library, const std::string& change) {
  SHOAL_TRY(check_name("change", change));
  return library.remove_all(staging_folder(change));
}

}  // namespace shoal::install
