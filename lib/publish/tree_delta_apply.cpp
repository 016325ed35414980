// The new tree grows in a folder of its own beside its place: copies first, hashed on their way,
// then what the delta makes, which is read back and hashed; when the roots of all files give the
// new tree's identity, it is renamed. The old tree is not hashed unless that fails, to tell why.
#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/for_each.hpp"
#include "content/file_ranges.hpp"
#include "delta/apply_artifact.hpp"
#include "delta/tree_record.hpp"
#include "publish/tree_delta.hpp"
#include "publish/tree_sides.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
using delta::Origin;

constexpr std::size_t kCopyBytes = 1 << 20;

// The folder under construction; removed unless it was put in its place.
class PartialFolder {
 public:
  explicit PartialFolder(fs::path place) : place_(std::move(place)) {
    if (!place_.has_filename()) place_ = place_.parent_path();  // "out/"
  }
  ~PartialFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  PartialFolder(const PartialFolder&) = delete;
  PartialFolder& operator=(const PartialFolder&) = delete;

  Result<BeneathDir> make() {
    std::error_code error;
    const bool there = fs::exists(fs::symlink_status(place_, error));
    if (there && (!fs::is_directory(fs::symlink_status(place_, error)) ||
                  !fs::is_empty(place_, error) || error)) {
      return fail(ErrorKind::conflict, fmt::format("{} is there already", place_.native()),
                  "Name a folder that does not exist yet.");
    }
    std::string name = place_.native() + ".partial.XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      return fail(system_error(errno, "create a folder beside", place_.native()));
    }
    path_ = name;
    fs::permissions(path_, fs::perms(0755), error);
    return BeneathDir::open(path_);
  }
  Result<void> put_in_place() {
    // rename() replaces an empty folder, and nothing else.
    if (::rename(path_.c_str(), place_.c_str()) != 0) {
      return fail(system_error(errno, "rename into place", place_.native()));
    }
    path_.clear();
    return {};
  }

 private:
  fs::path place_;
  fs::path path_;
};

// The bytes of a delta, one after another.
class DeltaFile {
 public:
  static Result<DeltaFile> open(const fs::path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return fail(system_error(errno, "open", path.native()));
    SHOAL_ASSIGN(const auto stamp, stamp_of(fd.get(), path.native()));
    return DeltaFile(std::move(fd), path.native(), stamp.size);
  }
  Result<void> read(MutableByteView out) {
    if (out.size() > size_ - at_) {
      return fail(ErrorKind::metadata_invalid, fmt::format("{} is cut off", name_));
    }
    SHOAL_TRY(pread_exact(fd_.get(), out, at_, name_));
    at_ += out.size();
    return {};
  }
  Result<void> expect_end() const {
    if (at_ == size_) return {};
    return fail(ErrorKind::metadata_invalid, fmt::format("{} has bytes after its end", name_));
  }

 private:
  DeltaFile(UniqueFd fd, std::string name, std::uint64_t size)
      : fd_(std::move(fd)), name_(std::move(name)), size_(size) {}
  UniqueFd fd_;
  std::string name_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
};

std::unexpected<Error> not_verified(std::string_view what) {
  return fail(ErrorKind::verification_failed, fmt::format("{} did not come out right", what),
              "The delta was damaged; fetch it again.");
}

// The tree as the delta's record describes it, in a folder.
class TreeWriter {
 public:
  TreeWriter(const BeneathDir& out, delta::TreeRecord& record, TreeSide& old_side,
             const StopToken& stop)
      : out_(out), record_(record), old_(old_side), stop_(stop) {}

  // Everything, the files empty. On one thread: others would wait for the folder.
  Result<void> make_entries() {
    for (const auto& folder : tree_.directories) SHOAL_TRY(out_.make_dirs(folder));
    for (const auto& link : tree_.symlinks) {
      SHOAL_TRY(out_.make_parents(link.path));
      SHOAL_TRY(out_.symlink(link.target, link.path));
    }
    for (std::uint32_t i = 0; i < tree_.files.size(); ++i) {
      SHOAL_ASSIGN(auto fd, out_.create(tree_.files[i].path, tree_.files[i].executable));
      if (tree_.files[i].size > 0) files_.add(FileIndex(i), std::move(fd));
    }
    return {};
  }

  Result<void> copy_from_old(WorkerPool& pool) {
    return for_each(Origin::Kind::old_file, pool,
                    [this](std::size_t i) { return copy(old_.files(), origins()[i].source, i); });
  }
  Result<void> copy_from_new(WorkerPool& pool) {
    return for_each(Origin::Kind::new_file, pool,
                    [this](std::size_t i) { return copy(files_, origins()[i].source, i); });
  }

  Result<void> write(FileIndex file, std::uint64_t offset, ByteView bytes) {
    SHOAL_ASSIGN(const auto fd, files_.get(file));
    return pwrite_all(fd->get(), bytes, offset, path_of(file));
  }

  Result<void> verify_made(WorkerPool& pool) {
    const auto made = chosen(Origin::Kind::made);
    std::vector<std::vector<Digest>> digests;
    std::vector<RangeToHash> ranges;
    digests.reserve(made.size());
    ranges.reserve(made.size());
    for (std::size_t m = 0; m < made.size(); ++m) {
      digests.emplace_back(content::FileRanges(tree_.files[made[m]].size).count());
      for (std::size_t r = 0; r < digests.back().size(); ++r)
        ranges.push_back({made[m], r, &digests[m][r]});
    }
    SHOAL_TRY(
        shoal::for_each(&pool, ranges.size(), [&](std::size_t i) { return hash(ranges[i]); }));
    for (std::size_t m = 0; m < made.size(); ++m) {
      auto& file = tree_.files[made[m]];
      file.root = content::FileRanges(file.size).join(digests[m]);
      const auto& start = record_.root_starts[made[m]];
      if (!std::ranges::equal(ByteView(file.root.bytes).first(start.size()), start)) {
        return not_verified(fmt::format("'{}'", file.path.text()));
      }
    }
    return {};
  }
  // When all files are there.
  Result<void> verify_tree(const Digest& identity) const {
    if (delta::tree_identity(tree_.files) == identity) return {};
    return not_verified("the tree");
  }

 private:
  using Take = std::function<Result<void>(std::uint64_t offset, ByteView bytes)>;

  std::vector<std::size_t> chosen(Origin::Kind kind) const {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < origins().size(); ++i) {
      if (origins()[i].kind == kind) chosen.push_back(i);
    }
    return chosen;
  }
  Result<void> for_each(Origin::Kind kind, WorkerPool& pool,
                        const std::function<Result<void>(std::size_t)>& act) {
    const auto files = chosen(kind);
    return shoal::for_each(&pool, files.size(), [&](std::size_t i) { return act(files[i]); });
  }

  struct RangeToHash {
    std::size_t file;
    std::size_t range;
    Digest* digest;
  };
  Result<void> hash(const RangeToHash& of) {
    const auto& file = tree_.files[of.file];
    SHOAL_ASSIGN(const auto fd, files_.get(FileIndex(static_cast<std::uint32_t>(of.file))));
    SHOAL_ASSIGN(*of.digest,
                 content::FileRanges(file.size).hash(
                     of.range, [&](std::uint64_t offset, MutableByteView out) -> Result<void> {
                       SHOAL_TRY(stop_.check());
                       return pread_exact(fd->get(), out, offset, file.path.text());
                     }));
    return {};
  }

  // The file's root, its bytes given to `take` on the way.
  Result<Digest> hash_and(int fd, const content::FileEntry& file, const Take& take) const {
    Bytes buffer(std::min<std::uint64_t>(kCopyBytes, file.size));
    content::FileHasher hasher;
    for (std::uint64_t at = 0; at < file.size;) {
      SHOAL_TRY(stop_.check());
      const auto part =
          MutableByteView(buffer).first(std::min<std::uint64_t>(buffer.size(), file.size - at));
      SHOAL_TRY(pread_exact(fd, part, at, file.path.text()));
      hasher.update(part);
      SHOAL_TRY(take(at, part));
      at += part.size();
    }
    return hasher.finish();
  }

  Result<void> copy(OpenFiles& from, FileIndex source, std::size_t index) {
    auto& file = tree_.files[index];
    SHOAL_ASSIGN(const auto in, from.get(source));
    SHOAL_ASSIGN(const auto out, files_.get(FileIndex(static_cast<std::uint32_t>(index))));
    SHOAL_ASSIGN(file.root, hash_and(in->get(), file, [&](std::uint64_t at, ByteView bytes) {
                   return pwrite_all(out->get(), bytes, at, file.path.text());
                 }));
    return {};
  }

  const std::vector<Origin>& origins() const { return record_.origins; }

  const std::string& path_of(FileIndex file) const { return tree_.files[file.value()].path.text(); }

  const BeneathDir& out_;
  delta::TreeRecord& record_;
  content::Component& tree_ = record_.tree;  // gets the roots of what is there
  TreeSide& old_;
  const StopToken& stop_;
  OpenFiles files_{
      [this](FileIndex file) { return out_.open_write(tree_.files[file.value()].path); }};
};

Result<void> make_tree(const delta::UnboundHead& delta, DeltaFile& file, TreeWriter& writer,
                       TreeSide& old_side, const TreeDeltaOptions& options, WorkerPool& pool) {
  const auto& head = delta.head;
  const StageProgress progress(options.progress);
  SHOAL_TRY(writer.make_entries());
  SHOAL_TRY(writer.copy_from_old(pool));
  const auto& old_files = old_side.content().component.files;
  std::vector<TreeSource> sources;
  sources.reserve(old_files.size());
  for (std::uint32_t i = 0; i < old_files.size(); ++i) {
    sources.emplace_back(old_side.files(), FileIndex(i), old_files[i]);
  }
  delta::ApplyOptions applying;
  for (const auto& source : sources) applying.old_files.push_back(&source);
  applying.read = [&](MutableByteView out) { return file.read(out); };
  const auto report = progress.of("New files");
  std::atomic<std::uint64_t> done = 0;
  applying.write = [&](FileIndex index, std::uint64_t offset, ByteView bytes) -> Result<void> {
    SHOAL_TRY(writer.write(index, offset, bytes));
    const std::uint64_t now = done += bytes.size();
    if (report) report(now, head.new_bytes());
    return {};
  };
  applying.workers = &pool;
  applying.stop = options.stop;
  SHOAL_TRY(delta::apply_artifact(head, applying));
  SHOAL_TRY(file.expect_end());
  SHOAL_TRY(writer.verify_made(pool));
  SHOAL_TRY(writer.copy_from_new(pool));
  return writer.verify_tree(delta.new_tree);
}

// Why it did not come out right: the old tree may have been another one all the time.
Result<void> explain(Result<void> made, const delta::UnboundHead& head, const fs::path& old_tree,
                     const TreeDeltaOptions& options, WorkerPool& pool) {
  const bool unexplained = !made && (made.error().kind == ErrorKind::verification_failed ||
                                     made.error().kind == ErrorKind::metadata_invalid);
  if (!unexplained) return made;
  const StageProgress progress(options.progress);
  const auto old_side =
      TreeSide::read(old_tree, pool, {TreeDetail::roots, progress.of("Old tree"), options.stop});
  if (!old_side) return made;
  SHOAL_TRY(delta::check_tree_identity((*old_side)->content().component.files, head.old_tree.bytes,
                                       "old"));
  return made;
}

}  // namespace

Result<TreeCounts> apply_tree_delta(const fs::path& old_tree, const fs::path& delta_file,
                                    const fs::path& out_tree, const TreeDeltaOptions& options,
                                    WorkerPool& pool) {
  SHOAL_ASSIGN(auto file, DeltaFile::open(delta_file));
  SHOAL_ASSIGN(auto old_side,
               TreeSide::read(old_tree, pool, {TreeDetail::listing, {}, options.stop}));
  const auto& old_component = old_side->content().component;
  const delta::ReadNext next = [&](MutableByteView out) { return file.read(out); };
  SHOAL_ASSIGN(auto record, delta::read_tree_record(next, old_component));
  SHOAL_TRY(check_paths(record.tree, options.allow_outside_links));
  SHOAL_ASSIGN(const auto head, delta::read_unbound_head(next, old_component.files,
                                                         record.tree.files, record.origins));

  PartialFolder partial(out_tree);
  SHOAL_ASSIGN(const auto folder, partial.make());
  TreeWriter writer(folder, record, *old_side, options.stop);
  auto made = make_tree(head, file, writer, *old_side, options, pool);
  SHOAL_TRY(explain(std::move(made), head, old_tree, options, pool));
  SHOAL_TRY(folder.sync());
  SHOAL_TRY(partial.put_in_place());
  return count_tree(record.origins, record.tree.files);
}

}  // namespace shoal::publish
