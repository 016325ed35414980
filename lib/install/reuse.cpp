// Neighbouring chunks that come from one place and go to one place are read with one call and,
// those that prove right, written with one call. A chunk counts only if its hash is its id: the old
// file may have changed, or may never have been what its recipe says.
#include "install/reuse.hpp"

#include <optional>

namespace shoal::install {
namespace {

constexpr std::uint64_t kRunBytes = 1 << 20;  // buffer of one worker

bool follows(const ReuseSource& a, const ReuseSource& b) {
  return a.old_component == b.old_component && a.old_file == b.old_file && a.file == b.file &&
         a.old_offset + a.chunk.length == b.old_offset && a.offset + a.chunk.length == b.offset;
}

// The longest run at the front of `sources` that one read can serve.
std::size_t run_length(std::span<const ReuseSource> sources) {
  std::size_t count = 1;
  std::uint64_t bytes = sources.front().chunk.length;
  while (count < sources.size() && follows(sources[count - 1], sources[count]) &&
         bytes + sources[count].chunk.length <= kRunBytes)
    bytes += sources[count++].chunk.length;
  return count;
}

class Copier {
 public:
  Copier(const BeneathDir& library, const Plan& plan, TreeImage& image)
      : library_(library), plan_(plan), image_(image) {}

  Result<void> copy_run(std::span<const ReuseSource> run);
  std::vector<ReusedRange> take() { return std::move(ranges_); }

 private:
  bool open(const ReuseSource& source);
  std::size_t read(const ReuseSource& first, std::uint64_t length);
  Result<void> write(const ReuseSource& first, std::uint64_t skip, std::uint64_t length);

  const BeneathDir& library_;
  const Plan& plan_;
  TreeImage& image_;
  UniqueFd fd_;
  const content::FileEntry* opened_ = nullptr;  // the old file that fd_ is, or could not be
  Bytes buffer_;
  std::vector<ReusedRange> ranges_;
};

bool Copier::open(const ReuseSource& source) {
  const auto& entry =
      plan_.installed[source.old_component].component->files[source.old_file.value()];
  if (opened_ == &entry) return static_cast<bool>(fd_);
  opened_ = &entry;
  auto fd = library_.open_read(entry.path.beneath(plan_.folder));
  fd_ = fd ? std::move(*fd) : UniqueFd{};
  return static_cast<bool>(fd_);
}

// Bytes that could be read: fewer when the old file is shorter than it was.
std::size_t Copier::read(const ReuseSource& first, std::uint64_t length) {
  auto stamp = stamp_of(fd_.get(), opened_->path.text());
  if (!stamp || stamp->size <= first.old_offset) return 0;
  buffer_.resize(std::min(length, stamp->size - first.old_offset));
  if (!pread_exact(fd_.get(), buffer_, first.old_offset, opened_->path.text())) return 0;
  return buffer_.size();
}

Result<void> Copier::write(const ReuseSource& first, std::uint64_t skip, std::uint64_t length) {
  if (length == 0) return {};
  const auto& target = *plan_.components[first.component].target.component;
  std::uint64_t offset = first.offset + skip;
  SHOAL_TRY(image_.write(target.files[first.file.value()].offset + offset,
                         ByteView(buffer_).subspan(skip, length)));
  ranges_.push_back({first.file, offset, length});
  return {};
}

Result<void> Copier::copy_run(std::span<const ReuseSource> run) {
  if (!open(run.front())) return {};
  std::uint64_t length = 0;
  for (const auto& source : run) length += source.chunk.length;
  std::size_t there = read(run.front(), length);
  std::uint64_t at = 0;
  std::uint64_t good_from = 0;  // what is good and not written yet ends at `good_to`
  std::uint64_t good_to = 0;
  for (const auto& source : run) {
    std::uint64_t end = at + source.chunk.length;
    bool good = end <= there && content::chunk_id(ByteView(buffer_).subspan(
                                    at, source.chunk.length)) == source.chunk.id;
    if (good && at + source.skip_front == good_to) {
      good_to = end - source.skip_back;
    } else {
      SHOAL_TRY(write(run.front(), good_from, good_to - good_from));
      good_from = good ? at + source.skip_front : end;
      good_to = good ? end - source.skip_back : end;
    }
    at = end;
  }
  return write(run.front(), good_from, good_to - good_from);
}

}  // namespace

Result<std::vector<ReusedRange>> copy_chunks(const BeneathDir& library, const Plan& plan,
                                             std::span<const ReuseSource> sources, TreeImage& image,
                                             const StopToken& stop) {
  Copier copier(library, plan, image);
  while (!sources.empty()) {
    SHOAL_TRY(stop.check());
    std::size_t count = run_length(sources);
    SHOAL_TRY(copier.copy_run(sources.first(count)));
    sources = sources.subspan(count);
  }
  return copier.take();
}

}  // namespace shoal::install
