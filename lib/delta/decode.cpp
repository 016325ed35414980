// Block by block: unpack the streams, read the plan, and give each window its share of the streams;
// windows are then made independently of each other.
#include "delta/decode.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "base/worker_pool.hpp"
#include "delta/block.hpp"
#include "delta/damaged.hpp"
#include "delta/window_codec.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kMaxFinders = 2 * kMaxPartPrograms;  // kept for the parts to come

// A part with its predictor; shared by the windows that are still to be made.
struct OpenPart {
  OpenPart(const OldSpace& old, Part planned) : part(std::move(planned)), predictor(old, part) {}
  const Part part;
  const Predictor predictor;
};

struct WindowJob {
  std::shared_ptr<const OpenPart> open;
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
    Streams streams;
    for (std::size_t i = 0; i < kStreamCount; ++i) {
      const auto& entry = header.streams[i];
      Bytes packed(entry.packed_size);
      SHOAL_TRY(options_.read(packed));
      SHOAL_ASSIGN(streams[i], unpack_stream(entry.method, entry.plain_size, packed));
    }
    SHOAL_ASSIGN(const auto jobs, read_plan(header.new_bytes, streams));
    return make_windows(jobs);
  }

  Result<std::vector<WindowJob>> read_plan(std::uint64_t new_bytes, const Streams& streams) {
    content::ByteReader plan(stream(streams, Stream::plan), "the delta's plan");
    std::array<content::ByteReader, kWindowStreams> rest = {
        content::ByteReader(streams[1], "the delta"), content::ByteReader(streams[2], "the delta"),
        content::ByteReader(streams[3], "the delta"), content::ByteReader(streams[4], "the delta"),
        content::ByteReader(streams[5], "the delta")};
    std::vector<WindowJob> jobs;
    while (new_bytes > 0) {
      if (file_ == new_sizes_.size()) return bad("more bytes than the new files have");
      if (!open_) SHOAL_TRY(open_part(plan));
      WindowJob job{open_, in_part_, window_size(open_->part, in_part_), {}};
      if (job.size > new_bytes) return bad("a block that ends inside a window");
      for (std::size_t i = 0; i < kWindowStreams; ++i) {
        SHOAL_ASSIGN(const auto share, plan.varint());
        SHOAL_ASSIGN(job.shares[i], rest[i].raw(share));
      }
      new_bytes -= job.size;
      advance(job.size);
      jobs.push_back(std::move(job));
    }
    SHOAL_TRY(plan.expect_end());
    for (const auto& reader : rest) SHOAL_TRY(reader.expect_end());
    return jobs;
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
    in_file_ += open_->part.size;
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
    if (options_.workers == nullptr) {
      for (const auto& job : jobs) SHOAL_TRY(make_window(job));
      return {};
    }
    std::mutex mutex;
    Result<void> outcome;
    options_.workers->parallel_for(jobs.size(), [&](std::size_t i) {
      {
        std::lock_guard lock(mutex);
        if (!outcome) return;
      }
      auto made = make_window(jobs[i]);
      std::lock_guard lock(mutex);
      if (!made && outcome) outcome = std::move(made);
    });
    return outcome;
  }

  Result<void> make_window(const WindowJob& job) const {
    SHOAL_TRY(options_.stop.check());
    SHOAL_ASSIGN(auto window, job.open->predictor.predict(job.begin, job.size));
    if (auto fits = apply_window(window, job.shares); !fits) {
      if (options_.leaves_out && options_.leaves_out()) return {};
      return fits;
    }
    const auto& part = job.open->part;
    return options_.write(part.file, part.file_offset + job.begin, window.bytes);
  }

  const OldSpace old_;
  const std::vector<std::uint64_t>& new_sizes_;
  const DecodeOptions& options_;
  std::map<std::size_t, std::shared_ptr<const ReferenceFinder>> finders_;  // by old file
  // Where the delta is:
  std::size_t file_ = 0;
  std::uint64_t in_file_ = 0;  // of the open part, or of the next
  std::shared_ptr<const OpenPart> open_;
  std::uint64_t in_part_ = 0;
};

}  // namespace

Result<void> decode(const std::vector<const ByteSource*>& old_files,
                    const std::vector<std::uint64_t>& new_sizes, const DecodeOptions& options) {
  return Decoder(old_files, new_sizes, options).run();
}

}  // namespace shoal::delta
