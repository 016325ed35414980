// Files are hashed and chunked side by side, each from first byte to last by one thread; its stamp
// before and after tells that nothing wrote to it.
#include "publish/tree_content.hpp"

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>

#include "base/for_each.hpp"
#include "content/merkle.hpp"
#include "publish/tree_scan.hpp"

namespace shoal::publish {
namespace {

constexpr std::size_t kReadBytes = 1 << 20;

class TreeReader {
 public:
  TreeReader(const BeneathDir& tree, const ReadTreeOptions& options, TreeContent& out)
      : tree_(tree), options_(options), out_(out), total_(out.component.total_bytes()) {}

  Result<void> run(WorkerPool& pool) {
    return for_each(&pool, out_.component.files.size(),
                    [&](std::size_t i) { return read_file(i); });
  }

 private:
  Result<void> read_file(std::size_t index) {
    auto& file = out_.component.files[index];
    if (file.size == 0) return {};
    SHOAL_ASSIGN(const auto fd, tree_.open_read(file.path));
    content::FileHasher hasher;
    auto& chunks = out_.recipes.files[index];
    content::Chunker chunker([&](const content::Chunk& chunk) { chunks.push_back(chunk); });
    Bytes buffer(std::min<std::uint64_t>(kReadBytes, file.size));
    for (std::uint64_t at = 0; at < file.size;) {
      SHOAL_TRY(options_.stop.check());
      const auto part =
          MutableByteView(buffer).first(std::min<std::uint64_t>(buffer.size(), file.size - at));
      SHOAL_TRY(pread_exact(fd.get(), part, at, file.path.text()));
      hasher.update(part);
      if (options_.detail == TreeDetail::recipes) chunker.update(part);
      at += part.size();
      const std::uint64_t done = done_ += part.size();
      if (options_.progress) options_.progress(done, total_);
    }
    if (options_.detail == TreeDetail::recipes) chunker.finish();
    SHOAL_ASSIGN(const auto stamp, stamp_of(fd.get(), file.path.text()));
    if (stamp != out_.stamps[index]) {
      return fail(
          ErrorKind::io_error,
          fmt::format("'{}' in {} changed while it was being read", file.path.text(), tree_.name()),
          "Try again when nothing writes to the tree.");
    }
    file.root = hasher.finish();
    return {};
  }

  const BeneathDir& tree_;
  const ReadTreeOptions& options_;
  TreeContent& out_;
  const std::uint64_t total_;
  std::atomic<std::uint64_t> done_ = 0;
};

}  // namespace

Result<TreeContent> read_tree(const BeneathDir& tree, WorkerPool& pool,
                              const ReadTreeOptions& options) {
  SHOAL_ASSIGN(auto scanned, scan_tree(tree));
  TreeContent out;
  out.component.name = "tree";
  out.component.files = std::move(scanned.files);
  out.component.symlinks = std::move(scanned.symlinks);
  out.component.directories = std::move(scanned.directories);
  out.stamps = std::move(scanned.stamps);
  out.recipes.files.resize(out.component.files.size());
  if (options.detail != TreeDetail::listing) SHOAL_TRY(TreeReader(tree, options, out).run(pool));
  return out;
}

std::size_t OpenFiles::fair_share() {
  constexpr rlim_t kUsual = 1024;
  constexpr rlim_t kMost = 16 * 1024;
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = kUsual;
  return std::min(limit.rlim_cur, kMost) / 4 + 1;
}

Result<std::shared_ptr<const UniqueFd>> OpenFiles::get(FileIndex file) {
  {
    std::lock_guard lock(mutex_);
    if (const auto found = files_.find(file); found != files_.end()) return found->second;
  }
  SHOAL_ASSIGN(auto fd, open_(file));  // which may take long; others go on
  return keep(file, std::move(fd));
}

void OpenFiles::add(FileIndex file, UniqueFd fd) { keep(file, std::move(fd)); }

std::shared_ptr<const UniqueFd> OpenFiles::keep(FileIndex file, UniqueFd fd) {
  auto opened = std::make_shared<const UniqueFd>(std::move(fd));
  std::lock_guard lock(mutex_);
  const auto [at, added] = files_.try_emplace(file, opened);
  if (!added) return at->second;  // another thread was faster
  order_.push_back(file);
  if (order_.size() > most_) {
    files_.erase(order_.front());
    order_.pop_front();
  }
  return opened;
}

Result<void> TreeSource::read(std::uint64_t offset, MutableByteView out) const {
  SHOAL_ASSIGN(const auto fd, files_.get(index_));
  return pread_exact(fd->get(), out, offset, entry_.path.text());
}

}  // namespace shoal::publish
