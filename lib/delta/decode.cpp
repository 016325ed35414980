// Block by block: unpack the streams, read the plan, and give each window its share of the streams;
// windows are then made independently of each other, but for those of a compressed member.
#include "delta/decode.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <span>

#include "base/for_each.hpp"
#include "delta/block.hpp"
#include "delta/damaged.hpp"
#include "delta/member_writer.hpp"
#include "delta/window_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kMaxFinders = 2 * kMaxPartPrograms;  // kept for the parts to come
// A block may hold millions of small parts: so many windows, or covers and fixes of the parts
// begun, are made before the plan is read on.
constexpr std::size_t kBatchWindows = 64;
constexpr std::size_t kBatchItems = kMaxPartCovers;

// A part with its predictor; shared by the windows that are still to be made.
struct OpenPart {
  OpenPart(const OldSpace& old, Part planned)
      : part(std::move(planned)), space(old, part.members), predictor(space.space(), part) {}
  const Part part;
  MemberSpace space;
  const Predictor predictor;

  // Of a packed part, whose windows are made in order, one at a time:
  std::optional<MemberWriter> writer;
  bool lost = false;  // left out from here on

  void release() {
    space.release();
    writer.reset();
  }
};

struct WindowJob {
  std::shared_ptr<OpenPart> open;
  std::uint64_t begin = 0;  // in the part
  std::uint64_t size = 0;
  WindowShares shares;
};

class Decoder {
 public:
  Decoder(const std::vector<const ByteSource*>& old_files,
          const std::vector<std::uint64_t>& new_sizes, const DecodeOptions& options)
      : old_(old_files), new_sizes_(new_sizes), options_(options) {}

  Result<void> run() {
    skip_finished_files();
    while (file_ < new_sizes_.size()) {
      SHOAL_TRY(options_.stop.check());
      SHOAL_TRY(decode_block());
    }
    return {};
  }

 private:
  Result<void> decode_block() {
    Bytes header_bytes(kBlockHeaderBytes);
    SHOAL_TRY(options_.read(header_bytes));
    SHOAL_ASSIGN(const auto header, parse_block_header(header_bytes));
    std::array<Bytes, kStreamCount> packed;
    for (std::size_t i = 0; i < kStreamCount; ++i) {
      packed[i].resize(header.streams[i].packed_size);
      SHOAL_TRY(options_.read(packed[i]));
    }
    Streams streams;
    SHOAL_TRY(for_each(options_.workers, kStreamCount, [&](std::size_t i) -> Result<void> {
      const auto& entry = header.streams[i];
      SHOAL_ASSIGN(streams[i], unpack_stream(entry.method, entry.plain_size, packed[i]));
      packed[i] = {};
      return {};
    }));
    return follow_plan(header.new_bytes, streams);
  }

  Result<void> follow_plan(std::uint64_t new_bytes, const Streams& streams) {
    content::ByteReader plan(stream(streams, Stream::plan), "the delta's plan");
    std::array<content::ByteReader, kWindowStreams> rest = {
        content::ByteReader(streams[1], "the delta"), content::ByteReader(streams[2], "the delta"),
        content::ByteReader(streams[3], "the delta"), content::ByteReader(streams[4], "the delta"),
        content::ByteReader(streams[5], "the delta")};
    std::vector<WindowJob> jobs;
    std::size_t items = 0;  // of the parts begun since the last batch
    while (new_bytes > 0) {
      if (file_ == new_sizes_.size()) return bad("more bytes than the new files have");
      if (!open_) {
        SHOAL_TRY(open_part(plan));
        items += item_count(open_->part);
      }
      WindowJob job{open_, in_part_, window_size(open_->part, in_part_), {}};
      if (job.size > new_bytes) return bad("a block that ends inside a window");
      for (std::size_t i = 0; i < kWindowStreams; ++i) {
        SHOAL_ASSIGN(const auto share, plan.varint());
        SHOAL_ASSIGN(job.shares[i], rest[i].raw(share));
      }
      new_bytes -= job.size;
      advance(job.size);
      jobs.push_back(std::move(job));
      if (jobs.size() < kBatchWindows && items < kBatchItems) continue;
      SHOAL_TRY(make_windows(jobs));
      jobs.clear();
      items = 0;
    }
    SHOAL_TRY(plan.expect_end());
    for (const auto& reader : rest) SHOAL_TRY(reader.expect_end());
    return make_windows(jobs);
  }

  std::size_t item_count(const Part& part) const {
    constexpr unsigned kPageBits = 12;  // a translation's tables have an entry for so many bytes
    std::size_t count = part.covers.size();
    for (const auto& program : part.programs) {
      count += program.fixes.size() + (old_.file(program.file).size() >> kPageBits);
    }
    return count;
  }

  Result<void> open_part(content::ByteReader& plan) {
    const PartContext context{old_, file_, in_file_, new_sizes_[file_] - in_file_,
                              [this](std::size_t file) { return finder_of(file); }};
    SHOAL_ASSIGN(auto part, read_part(plan, context));
    open_ = std::make_shared<OpenPart>(old_, std::move(part));
    in_part_ = 0;
    return {};
  }

  void advance(std::uint64_t size) {
    in_part_ += size;
    if (in_part_ < open_->part.size) return;
    in_file_ += open_->part.file_size();
    open_.reset();
    if (in_file_ < new_sizes_[file_]) return;
    ++file_;
    in_file_ = 0;
    skip_finished_files();
  }

  void skip_finished_files() {
    while (file_ < new_sizes_.size() && new_sizes_[file_] == 0) ++file_;
  }

  Result<std::shared_ptr<const ReferenceFinder>> finder_of(std::size_t file) {
    if (const auto found = finders_.find(file); found != finders_.end()) return found->second;
    SHOAL_ASSIGN(auto layout, read_layout(old_.file(file)));
    SHOAL_ASSIGN(auto finder, ReferenceFinder::make(old_.file(file), std::move(layout)));
    if (finders_.size() >= kMaxFinders) finders_.erase(finders_.begin());
    return finders_[file] = std::make_shared<ReferenceFinder>(std::move(finder));
  }

  Result<void> make_windows(const std::vector<WindowJob>& jobs) {
    std::vector<std::span<const WindowJob>> tasks;
    for (const auto& job : jobs) {
      const bool goes_on =
          !tasks.empty() && job.open->part.packing && tasks.back().front().open == job.open;
      if (goes_on) {
        tasks.back() = {tasks.back().data(), tasks.back().size() + 1};
      } else {
        tasks.emplace_back(&job, 1);
      }
    }
    return for_each(options_.workers, tasks.size(), [&](std::size_t i) -> Result<void> {
      for (const auto& job : tasks[i]) SHOAL_TRY(make_window(job));
      return {};
    });
  }

  Result<void> make_window(const WindowJob& job) {
    SHOAL_TRY(options_.stop.check());
    const auto& part = job.open->part;
    if (!part.packing && !is_wanted(part, job.begin, job.size)) return {};
    if (part.packing && job.begin == 0) job.open->lost = !is_wanted(part, 0, part.file_size());
    if (job.open->lost) return {};
    auto window = spare_window();
    const auto made = fill_window(job, *window);
    if (!made) {
      const bool misfit = made.error().kind == ErrorKind::metadata_invalid;
      if (!misfit || !options_.leaves_out || !options_.leaves_out()) return made;
      if (part.packing) {  // of which this thread makes all windows
        job.open->lost = true;
        job.open->release();
      }
    }
    std::lock_guard lock(spare_mutex_);
    spare_.push_back(std::move(window));
    return {};
  }

  bool is_wanted(const Part& part, std::uint64_t begin, std::uint64_t size) const {
    return !options_.wants || options_.wants(part.file, part.file_offset + begin, size);
  }

  Result<void> fill_window(const WindowJob& job, Predictor::Window& window) {
    SHOAL_TRY(job.open->predictor.predict(job.begin, job.size, window));
    SHOAL_TRY(apply_window(window, job.shares));
    const auto& part = job.open->part;
    if (part.packing) return pack_window(job, window.bytes);
    return options_.write(part.file, part.file_offset + job.begin, window.bytes);
  }

  Result<void> pack_window(const WindowJob& job, ByteView plain) {
    OpenPart& open = *job.open;
    const auto& part = open.part;
    const bool last = job.begin + job.size == part.size;
    if (!open.writer) open.writer.emplace(*part.packing);
    SHOAL_TRY(open.writer->add(plain, last, [&](std::uint64_t at, ByteView packed) {
      return options_.write(part.file, part.file_offset + at, packed);
    }));
    if (last) open.release();
    return {};
  }

  // There are as many as threads; fresh memory for each window would cost more than its copying.
  std::unique_ptr<Predictor::Window> spare_window() {
    std::lock_guard lock(spare_mutex_);
    if (spare_.empty()) return std::make_unique<Predictor::Window>();
    auto window = std::move(spare_.back());
    spare_.pop_back();
    return window;
  }

  const OldSpace old_;
  const std::vector<std::uint64_t>& new_sizes_;
  const DecodeOptions& options_;
  std::map<std::size_t, std::shared_ptr<const ReferenceFinder>> finders_;  // by old file
  // Where the delta is:
  std::size_t file_ = 0;
  std::uint64_t in_file_ = 0;  // of the open part, or of the next
  std::shared_ptr<OpenPart> open_;
  std::uint64_t in_part_ = 0;
  std::mutex spare_mutex_;
  std::vector<std::unique_ptr<Predictor::Window>> spare_;
};

}  // namespace

Result<void> decode(const std::vector<const ByteSource*>& old_files,
                    const std::vector<std::uint64_t>& new_sizes, const DecodeOptions& options) {
  return Decoder(old_files, new_sizes, options).run();
}

}  // namespace shoal::delta
