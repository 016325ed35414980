// Group by group: what is there already, from a run that was killed, is passed over, whole groups
// and single windows. The decoder reads old files through an image that checks their stamps; for
// what is not as it was it gets zeros, and the files of that group are then hashed before they
// count. Of the others the hashes of their pieces, which are taken afterwards anyway, are proof
// enough.
#include "install/apply_delta.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "delta/apply_artifact.hpp"
#include "install/hash_files.hpp"

namespace shoal::install {
namespace {

// An old file as its manifest says, or zeros and a mark.
class OldFileSource final : public delta::ByteSource {
 public:
  OldFileSource(TreeImage& image, const content::FileEntry& file, std::atomic<bool>& missed)
      : image_(image), file_(file), missed_(missed) {}
  std::uint64_t size() const override { return file_.size; }
  Result<void> read(std::uint64_t offset, MutableByteView out) const override {
    if (image_.read(file_.offset + offset, out)) return {};
    std::ranges::fill(out, std::uint8_t{0});
    missed_ = true;
    return {};
  }

 private:
  TreeImage& image_;
  const content::FileEntry& file_;
  std::atomic<bool>& missed_;
};

const InstalledComponent& installed_as(const Plan& plan, const std::string& name) {
  return *std::ranges::find_if(plan.installed, [&](const InstalledComponent& installed) {
    return installed.component->name == name;
  });
}

TreeImage image_of(const BeneathDir& library, const Plan& plan,
                   const InstalledComponent& installed) {
  std::vector<TreeImage::FileState> states;
  states.reserve(installed.stamps.size());
  for (const auto& stamp : installed.stamps)
    states.push_back(stamp == FileStamp{}
                         ? TreeImage::FileState{}
                         : TreeImage::FileState{TreeImage::Place::installed, stamp});
  return {library, plan.folder, plan.folder, installed.component, std::move(states)};
}

class DeltaApplier {
 public:
  explicit DeltaApplier(const DeltaWork& work)
      : work_(work),
        plan_(work.plan.components[work.component]),
        files_(plan_.target.component->files),
        old_(installed_as(work.plan, plan_.target.component->name)),
        old_image_(image_of(work.library, work.plan, old_)),
        delta_bytes_(plan_.target.delta->size),
        written_before_(work.image.written_bytes()),
        targets_(files_.size()),
        doubtful_(files_.size(), false) {
    sources_.reserve(old_.component->files.size());  // their addresses stay
    for (const auto& file : old_.component->files) sources_.emplace_back(old_image_, file, missed_);
    for (const auto& source : sources_) old_files_.push_back(&source);
    find_targets();
  }

  Result<DeltaOutcome> run();

 private:
  void find_targets();
  bool is_there(std::uint32_t file, std::uint64_t offset, std::uint64_t size) const;
  bool wants(FileIndex made, std::uint64_t offset, std::uint64_t size) const;
  bool is_wanted(const delta::Group& group) const;
  void count_found(FileIndex made, std::uint64_t size);
  Result<void> read(MutableByteView out);
  Result<void> write(FileIndex made, std::uint64_t offset, ByteView bytes);
  Result<void> write_to(std::uint32_t file, std::uint64_t offset, ByteView bytes);
  Result<void> make(const delta::Group& group);
  Result<void> make_all(const delta::ArtifactHead& head);
  Result<void> check_not_ended() const;
  Result<void> settle();

  const DeltaWork& work_;
  const ComponentPlan& plan_;
  const std::vector<content::FileEntry>& files_;
  const InstalledComponent& old_;
  TreeImage old_image_;
  const std::uint64_t delta_bytes_;
  std::atomic<bool> missed_ = false;  // some bytes of the group are wrong, or were not made
  std::vector<OldFileSource> sources_;
  std::vector<const delta::ByteSource*> old_files_;
  const std::uint64_t written_before_;
  std::uint64_t position_ = 0;  // in the delta
  std::atomic<std::uint64_t> found_bytes_ = 0;
  // By file that the delta makes: the files by_delta that get its bytes.
  std::vector<std::vector<std::uint32_t>> targets_;
  std::vector<bool> doubtful_;  // by file that the delta makes
  std::mutex mutex_;
  std::optional<Error> write_error_;  // the first
  DeltaOutcome outcome_;
};

void DeltaApplier::find_targets() {
  using Kind = delta::Origin::Kind;
  auto origins = delta::match_trees(old_.component->files, files_);
  for (std::uint32_t f = 0; f < files_.size(); ++f) {
    if (!plan_.files[f].by_delta) continue;
    auto made = origins[f].kind == Kind::new_file ? origins[f].source.value() : f;
    targets_[made].push_back(f);
  }
}

bool DeltaApplier::is_there(std::uint32_t file, std::uint64_t offset, std::uint64_t size) const {
  const std::uint64_t piece_size = work_.image.map().piece_size();
  const std::uint64_t begin = files_[file].offset + offset;
  for (auto piece = begin / piece_size; piece <= (begin + size - 1) / piece_size; ++piece)
    if (!work_.have.has(PieceIndex(static_cast<std::uint32_t>(piece)))) return false;
  return true;
}

// Whether something of the stretch is missing.
bool DeltaApplier::wants(FileIndex made, std::uint64_t offset, std::uint64_t size) const {
  return std::ranges::any_of(targets_[made.value()],
                             [&](auto file) { return !is_there(file, offset, size); });
}

bool DeltaApplier::is_wanted(const delta::Group& group) const {
  return std::ranges::any_of(group.new_slices, [&](const delta::Slice& slice) {
    return wants(slice.file, slice.offset, slice.size);
  });
}

void DeltaApplier::count_found(FileIndex made, std::uint64_t size) {
  const std::uint64_t bytes = size * targets_[made.value()].size();
  found_bytes_ += bytes;
  work_.delta.count_made(bytes);
}

// The user has stopped it, or the fetching of the delta came upon what ends the change.
Result<void> DeltaApplier::check_not_ended() const {
  SHOAL_TRY(work_.stop.check());
  if (auto failure = work_.delta.failure()) return fail(*failure);
  return {};
}

Result<void> DeltaApplier::read(MutableByteView out) {
  if (out.size() > delta_bytes_ - position_)
    return fail(ErrorKind::metadata_invalid, "the delta is damaged: it ends too soon");
  SHOAL_TRY(work_.delta.read(position_, out, work_.stop));
  position_ += out.size();
  return {};
}

// Pieces that are right already stay as they are.
Result<void> DeltaApplier::write_to(std::uint32_t file, std::uint64_t offset, ByteView bytes) {
  const std::uint64_t piece_size = work_.image.map().piece_size();
  std::uint64_t at = files_[file].offset + offset;
  while (!bytes.empty()) {
    auto part = bytes.first(std::min<std::uint64_t>(bytes.size(), piece_size - at % piece_size));
    if (!work_.have.has(PieceIndex(static_cast<std::uint32_t>(at / piece_size)))) {
      SHOAL_TRY(work_.image.write(at, part));
    }
    at += part.size();
    bytes = bytes.subspan(part.size());
  }
  return {};
}

Result<void> DeltaApplier::write(FileIndex made, std::uint64_t offset, ByteView bytes) {
  for (auto file : targets_[made.value()]) {
    auto written = write_to(file, offset, bytes);
    if (written) {
      work_.delta.count_made(bytes.size());
      continue;
    }
    std::lock_guard lock(mutex_);
    if (!write_error_) write_error_ = written.error();
    return written;
  }
  return {};
}

Result<void> DeltaApplier::make(const delta::Group& group) {
  missed_ = false;
  delta::ApplyOptions options;
  options.read = [this](MutableByteView out) { return read(out); };
  options.old_files = old_files_;
  options.write = [this](FileIndex file, std::uint64_t offset, ByteView bytes) {
    return write(file, offset, bytes);
  };
  options.wants = [this](FileIndex file, std::uint64_t offset, std::uint64_t size) {
    if (wants(file, offset, size)) return true;
    count_found(file, size);
    return false;
  };
  options.leaves_out = [this] { return missed_ = true; };
  options.workers = &work_.pool;
  options.stop = work_.stop;
  auto applied = delta::apply_group(group, options);
  SHOAL_TRY(check_not_ended());
  if (write_error_) return fail(*write_error_);
  if (!applied && !outcome_.error) outcome_.error = applied.error();
  if (applied && !missed_) return {};
  for (const auto& slice : group.new_slices) doubtful_[slice.file.value()] = true;
  return {};
}

// What is in doubt is hashed; what is wrong is as if it had not been made.
Result<void> DeltaApplier::settle() {
  std::vector<std::uint32_t> in_doubt;
  std::vector<FileToHash> to_hash;
  for (std::uint32_t made = 0; made < targets_.size(); ++made)
    for (auto file : targets_[made]) {
      outcome_.made[file] = !doubtful_[made];
      if (!doubtful_[made]) continue;
      in_doubt.push_back(file);
      to_hash.push_back({files_[file].path.beneath(work_.staging), files_[file].size});
    }
  auto digests = hash_files(work_.library, to_hash, work_.pool, work_.stop);
  SHOAL_TRY(work_.stop.check());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < in_doubt.size(); ++i) {
    bool right = !digests[i].error && digests[i].root == files_[in_doubt[i]].root;
    outcome_.made[in_doubt[i]] = right;
    wrong += right ? 0 : 1;
  }
  if (wrong > 0 && !outcome_.error)
    outcome_.error =
        Error{ErrorKind::conflict,
              fmt::format("{} files cannot be made by the delta: old files were changed", wrong),
              {}};
  return {};
}

Result<void> DeltaApplier::make_all(const delta::ArtifactHead& head) {
  std::uint64_t begin = position_;
  for (std::size_t n = 0; n < head.groups.size(); ++n) {
    const auto& group = head.groups[n];
    position_ = begin;
    if (is_wanted(group)) {
      if (work_.step) work_.step(fmt::format("{}:{}", "delta.group", n));
      SHOAL_TRY(make(group));
    } else {
      for (const auto& slice : group.new_slices) count_found(slice.file, slice.size);
    }
    begin += std::min(group.block_bytes, delta_bytes_ - begin);
  }
  return {};
}

Result<DeltaOutcome> DeltaApplier::run() {
  outcome_.made.resize(files_.size());
  auto head = delta::read_head([this](MutableByteView out) { return read(out); },
                               old_.component->files, files_);
  SHOAL_TRY(check_not_ended());
  if (!head) {
    outcome_.error = head.error();
    return outcome_;
  }
  SHOAL_TRY(make_all(*head));
  SHOAL_TRY(settle());
  outcome_.found_bytes = found_bytes_;
  outcome_.written_bytes = work_.image.written_bytes() - written_before_;
  if (work_.step) work_.step("delta.done");
  return outcome_;
}

}  // namespace

Result<DeltaOutcome> apply_delta(const DeltaWork& work) { return DeltaApplier(work).run(); }

}  // namespace shoal::install
