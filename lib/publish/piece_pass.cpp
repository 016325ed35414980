// The image is worked through in windows of whole pieces. For each window, first all its 16 KiB
// leaves are hashed in parallel, which tells the pieces that need storing. Then, in parallel:
// frames are compressed, files are chunked, the next window is read, the window before is written.
// Only one file can span two windows; its state is carried over.
#include "publish/piece_pass.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <functional>
#include <memory>
#include <mutex>

#include "content/image.hpp"
#include "content/merkle.hpp"

namespace shoal::publish {
namespace {

using content::Extent;
using content::kBlockSize;

constexpr std::uint64_t kWindowBytesPerThread = 4ULL << 20;
constexpr std::uint64_t kMinWindowBytes = 16ULL << 20;
constexpr std::uint64_t kMaxWindowBytes = 256ULL << 20;  // what a large machine may use twice
constexpr std::uint64_t kFileRunBytes = 1ULL << 20;  // small files are chunked that many at a time

// A file while it is worked on, from its first byte to its last.
struct FileWork {
  FileWork() = default;
  FileWork(const FileWork&) = delete;  // the chunker refers to this object
  FileWork& operator=(const FileWork&) = delete;

  content::FileHasher hasher;  // for files that do not begin on a block of the image
  std::vector<Digest> leaves;  // for those that do: the image's leaves are theirs
  std::vector<content::Chunk> chunks;
  content::Chunker chunker{[this](const content::Chunk& chunk) { chunks.push_back(chunk); }};
};

struct Window {
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
  Bytes bytes;
  std::vector<Extent> extents;
  std::vector<Digest> leaves;
  std::vector<std::vector<content::StoredFrame>> frames;  // by piece; none where not needed
};

// The first failure of tasks that run side by side.
class FirstError {
 public:
  void note(const Result<void>& result) {
    if (result) return;
    std::lock_guard lock(mutex_);
    if (outcome_) outcome_ = result;
  }
  const Result<void>& outcome() const { return outcome_; }

 private:
  std::mutex mutex_;
  Result<void> outcome_;
};

class Pass {
 public:
  Pass(const PassInput& input, content::Component& component, content::Recipes& recipes,
       BundleWriter& bundles, WorkerPool& pool)
      : input_(input),
        component_(component),
        recipes_(recipes),
        bundles_(bundles),
        pool_(pool),
        map_(component) {
    hashes_.v2.resize(map_.piece_count());
    if (input.hybrid) hashes_.v1.resize(map_.piece_count());
    recipes_.files.resize(component.files.size());
    std::uint64_t bytes =
        std::clamp(pool.size() * kWindowBytesPerThread, kMinWindowBytes, kMaxWindowBytes);
    pieces_per_window_ =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(1, bytes / map_.piece_size()));
  }

  Result<PieceHashes> run(const BuildProgress& progress) {
    Window reading = window_at(0);
    Window working;
    Window writing;
    SHOAL_TRY(read(reading));
    while (reading.pieces > 0) {
      writing = std::move(working);
      working = std::move(reading);
      reading = window_at(working.first_piece + working.pieces);
      hash(working);
      SHOAL_TRY(work(working, reading, writing));
      if (progress) progress(bytes_done_, component_.total_bytes());
    }
    SHOAL_TRY(write(working));
    return std::move(hashes_);
  }

 private:
  Window window_at(std::uint32_t first_piece) const {
    Window window;
    window.first_piece = first_piece;
    window.pieces = std::min(pieces_per_window_, map_.piece_count() - first_piece);
    return window;
  }

  Result<void> read(Window& window) {
    std::uint64_t start = std::uint64_t{window.first_piece} * map_.piece_size();
    window.bytes.assign(std::size_t{window.pieces} * map_.piece_size(), 0);
    window.extents = map_.extents(start, window.bytes.size());
    for (const Extent& extent : window.extents) {
      SHOAL_TRY(input_.stop.check());
      auto out = MutableByteView(window.bytes).subspan(extent.image_offset - start, extent.length);
      SHOAL_TRY(read_extent(extent, out));
      bytes_done_ += extent.length;
    }
    return {};
  }

  Result<void> read_extent(const Extent& extent, MutableByteView out) const {
    const RelativePath& path = component_.files[extent.file.value()].path;
    const FileStamp& scanned = input_.stamps[extent.file.value()];
    SHOAL_ASSIGN(auto fd, input_.tree.open_read(path));
    SHOAL_ASSIGN(auto before, stamp_of(fd.get(), path.text()));
    if (before != scanned) return changed(path);
    SHOAL_TRY(pread_exact(fd.get(), out, extent.file_offset, path.text()));
    SHOAL_ASSIGN(auto after, stamp_of(fd.get(), path.text()));
    if (after != scanned) return changed(path);
    return {};
  }

  std::unexpected<Error> changed(const RelativePath& path) const {
    return fail(ErrorKind::io_error,
                fmt::format("'{}' in {} changed while it was being published", path.text(),
                            input_.tree.name()),
                "Publish again when nothing writes to the tree.");
  }

  void hash(Window& window) {
    std::uint32_t blocks = map_.blocks_per_piece();
    window.leaves.resize(std::size_t{window.pieces} * blocks);
    pool_.parallel_for(window.pieces, [&](std::size_t i) {
      auto piece = ByteView(window.bytes).subspan(i * map_.piece_size(), map_.piece_size());
      auto leaves = std::span(window.leaves).subspan(i * blocks, blocks);
      for (std::uint32_t b = 0; b < blocks; ++b)
        leaves[b] = sha256(piece.subspan(std::size_t{b} * kBlockSize, kBlockSize));
      hashes_.v2[window.first_piece + i] = content::merkle_root(leaves);
      if (input_.hybrid) hashes_.v1[window.first_piece + i] = sha1(piece);
    });
  }

  Result<void> work(Window& window, Window& next, const Window& before) {
    std::vector<std::function<Result<void>()>> tasks;
    tasks.emplace_back([&] { return read(next); });
    tasks.emplace_back([&] { return write(before); });
    add_file_tasks(window, tasks);
    add_frame_tasks(window, tasks);
    FirstError errors;
    pool_.parallel_for(tasks.size(), [&](std::size_t i) {
      errors.note(input_.stop.stop_requested() ? input_.stop.check() : tasks[i]());
    });
    carried_ = std::move(next_carried_);
    return errors.outcome();
  }

  // Small files in runs, a large one by itself; the longest tasks come first.
  void add_file_tasks(Window& window, std::vector<std::function<Result<void>()>>& tasks) {
    std::span<const Extent> rest = window.extents;
    while (!rest.empty()) {
      std::size_t count = 0;
      for (std::uint64_t bytes = 0; count < rest.size() && bytes < kFileRunBytes; ++count)
        bytes += rest[count].length;
      tasks.emplace_back([this, &window, run = rest.first(count)] {
        for (const Extent& extent : run) take_file_part(window, extent);
        return Result<void>{};
      });
      rest = rest.subspan(count);
    }
  }

  void add_frame_tasks(Window& window, std::vector<std::function<Result<void>()>>& tasks) {
    std::uint32_t frames = map_.piece_size() / input_.frame_size;
    window.frames.resize(window.pieces);
    for (std::uint32_t i = 0; i < window.pieces; ++i) {
      if (!bundles_.needs(hashes_.v2[window.first_piece + i])) continue;
      window.frames[i].resize(frames);
      for (std::uint32_t f = 0; f < frames; ++f) {
        tasks.emplace_back([this, &window, i, f] {
          std::size_t at = std::size_t{i} * map_.piece_size() + std::size_t{f} * input_.frame_size;
          window.frames[i][f] = content::compress_frame(
              ByteView(window.bytes).subspan(at, input_.frame_size), input_.zstd_level);
          return Result<void>{};
        });
      }
    }
  }

  void take_file_part(const Window& window, const Extent& extent) {
    content::FileEntry& file = component_.files[extent.file.value()];
    auto work = extent.file_offset == 0 ? std::make_unique<FileWork>() : std::move(carried_);
    assert(work != nullptr);
    std::uint64_t start = std::uint64_t{window.first_piece} * map_.piece_size();
    std::uint64_t at = extent.image_offset - start;
    auto bytes = ByteView(window.bytes).subspan(at, extent.length);
    work->chunker.update(bytes);
    bool aligned = file.offset % kBlockSize == 0;
    if (aligned) {
      auto whole = std::span(window.leaves).subspan(at / kBlockSize, bytes.size() / kBlockSize);
      work->leaves.insert(work->leaves.end(), whole.begin(), whole.end());
      // Only a file's end leaves part of a block; the image's leaf has the gap in it, too.
      if (auto rest = bytes.subspan(whole.size() * kBlockSize); !rest.empty())
        work->leaves.push_back(sha256(rest));
    } else {
      work->hasher.update(bytes);
    }
    if (extent.file_offset + extent.length < file.size) {
      next_carried_ = std::move(work);
      return;
    }
    work->chunker.finish();
    file.root = aligned ? content::merkle_root(work->leaves) : work->hasher.finish();
    recipes_.files[extent.file.value()] = std::move(work->chunks);
  }

  Result<void> write(const Window& window) {
    for (std::uint32_t i = 0; i < window.pieces; ++i)
      SHOAL_TRY(bundles_.append(hashes_.v2[window.first_piece + i], window.frames[i]));
    return {};
  }

  const PassInput& input_;
  content::Component& component_;
  content::Recipes& recipes_;
  BundleWriter& bundles_;
  WorkerPool& pool_;
  content::ImageMap map_;
  std::uint32_t pieces_per_window_ = 1;
  PieceHashes hashes_;
  std::unique_ptr<FileWork> carried_;       // the file that began before this window
  std::unique_ptr<FileWork> next_carried_;  // the file that goes on after it
  std::uint64_t bytes_done_ = 0;
};

}  // namespace

Result<PieceHashes> run_piece_pass(const PassInput& input, content::Component& component,
                                   content::Recipes& recipes, BundleWriter& bundles,
                                   WorkerPool& pool, const BuildProgress& progress) {
  return Pass(input, component, recipes, bundles, pool).run(progress);
}

}  // namespace shoal::publish
