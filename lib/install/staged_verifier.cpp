// Each file has a count of its missing pieces; at zero its ranges join one queue. As many runners
// as the pool has threads take ranges from it, each for a short turn, and then stand in line again
// behind what the pool was given meanwhile.
#include "install/staged_verifier.hpp"

#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>

#include "install/hash_files.hpp"
#include "install/look.hpp"

namespace shoal::install {
namespace {

constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();  // not to be verified
// A runner's turn, some milliseconds: a decoded piece should not wait longer for its worker.
constexpr std::uint64_t kBytesPerTurn = 8ULL << 20;
constexpr int kRangesPerTurn = 64;

}  // namespace

bool awaits_verification(const Plan& plan, const Staging& staging, std::uint32_t component,
                         FileIndex file) {
  auto state = staging.components[component].image->file_state(file);
  return state.place == TreeImage::Place::staged && state.stamp == FileStamp{} &&
         plan.components[component].files[file.value()].origin != FileOrigin::leave;
}

// Shared by the verifier and the tasks on the pool, which may outlive it.
struct StagedVerifier::Work : std::enable_shared_from_this<Work> {
  struct Target {
    std::shared_ptr<TreeImage> image;
    std::shared_ptr<const content::Component> component;
    RelativePath staging;
  };
  struct File {
    File(const Target& target_, FileIndex index_)
        : target(target_),
          index(index_),
          hash({entry().path.beneath(target.staging), entry().size, true}) {}
    const content::FileEntry& entry() const { return target.component->files[index.value()]; }

    const Target& target;
    const FileIndex index;
    RangedHash hash;
  };
  struct Range {
    std::shared_ptr<File> file;  // shared by its ranges
    std::size_t number = 0;
  };

  Work(const BeneathDir& library_, WorkerPool& pool_, const StopToken& stop_)
      : library(library_), pool(pool_), stop(stop_) {}

  void add(std::uint32_t component, FileIndex file);
  void run();
  void hash(const Range& range);
  void close();

  const BeneathDir& library;
  WorkerPool& pool;
  const StopToken stop;
  std::vector<Target> targets;  // by component; complete before the first file is added

  std::mutex mutex;  // guards what follows
  std::deque<Range> queue;
  unsigned runners = 0;  // on the pool or waiting there
  unsigned hashing = 0;  // ranges
  bool closed = false;
  std::condition_variable idle;  // hashing is 0
};

void StagedVerifier::Work::add(std::uint32_t component, FileIndex file) {
  auto added = std::make_shared<File>(targets[component], file);
  std::lock_guard lock(mutex);
  if (closed) return;
  for (std::size_t r = 0; r < added->hash.range_count(); ++r) queue.push_back({added, r});
  for (; runners < std::min<std::size_t>(pool.size(), queue.size()); ++runners)
    pool.post([self = shared_from_this()] { self->run(); });
}

void StagedVerifier::Work::run() {
  std::uint64_t bytes = 0;
  std::unique_lock lock(mutex);
  for (int i = 0; i < kRangesPerTurn && bytes < kBytesPerTurn && !queue.empty(); ++i) {
    auto range = std::move(queue.front());
    queue.pop_front();
    bytes += range.file->hash.range_bytes(range.number);
    ++hashing;
    lock.unlock();
    hash(range);
    lock.lock();
    if (--hashing == 0) idle.notify_all();
  }
  if (queue.empty())
    --runners;
  else
    pool.post([self = shared_from_this()] { self->run(); });
}

// Every range holds writes off, whichever comes first: only then is it read.
void StagedVerifier::Work::hash(const Range& range) {
  auto& file = *range.file;
  auto& image = *file.target.image;
  image.hold_writes(file.index);
  if (!file.hash.hash(range.number, library, stop)) return;
  auto digest = file.hash.result();
  if (!digest.error && digest.stamp != FileStamp{} && digest.root == file.entry().root)
    image.set_file_state(file.index, {TreeImage::Place::staged, digest.stamp});
  else
    image.allow_writes(file.index);
}

void StagedVerifier::Work::close() {
  std::lock_guard lock(mutex);
  closed = true;
  queue.clear();
}

StagedVerifier::StagedVerifier(const BeneathDir& library, const Plan& plan, const Staging& staging,
                               WorkerPool& pool, const StopToken& stop)
    : work_(std::make_shared<Work>(library, pool, stop)) {
  for (std::size_t c = 0; c < plan.components.size(); ++c) {
    const auto& component = plan.components[c].target.component;
    work_->targets.push_back({staging.components[c].image, component,
                              known_path(staging.folder.text() + '/' + component->name)});
  }
  for (std::uint32_t c = 0; c < plan.components.size(); ++c) {
    const auto& files = work_->targets[c].component->files;
    auto& counts = components_.emplace_back(staging.components[c].have,
                                            std::vector<std::uint32_t>(files.size(), kNever));
    for (std::uint32_t f = 0; f < files.size(); ++f) {
      FileIndex file(f);
      if (!awaits_verification(plan, staging, c, file)) continue;
      counts.missing[f] = 0;
      if (files[f].size > 0) {
        auto [first, last] = staging.components[c].image->map().pieces_of(file);
        for (auto p = first; p <= last; ++p) counts.missing[f] += counts.have.has(p) ? 0 : 1;
      }
      if (counts.missing[f] == 0) work_->add(c, file);
    }
  }
}

StagedVerifier::~StagedVerifier() { work_->close(); }

void StagedVerifier::piece_stored(std::uint32_t component, PieceIndex piece) {
  auto& counts = components_[component];
  if (counts.have.has(piece)) return;
  counts.have.add(piece);
  const auto& map = work_->targets[component].image->map();
  std::uint64_t size = map.piece_size();
  for (const auto& extent : map.extents(piece.value() * size, size)) {
    auto& missing = counts.missing[extent.file.value()];
    if (missing != kNever && --missing == 0) work_->add(component, extent.file);
  }
}

void StagedVerifier::finish() {
  work_->close();
  std::unique_lock lock(work_->mutex);
  work_->idle.wait(lock, [this] { return work_->hashing == 0; });
}

}  // namespace shoal::install
