// Old and new files side by side, in order of path: a run of old files that stay is two bytes, a
// changed one leaves its path out, and one whose bytes are elsewhere its size. A digest follows,
// for nothing else would tell a flipped bit of a link's target.
#include "delta/tree_record.hpp"

#include <algorithm>

#include "content/byte_codec.hpp"

namespace shoal::delta {
namespace {

using content::ByteReader;
using content::ByteWriter;
using content::Component;
using content::FileEntry;

constexpr std::size_t kMaxTargetBytes = 4095;  // of a link, as in release.json
constexpr std::string_view kWhat = "the delta's record of the new tree";

enum Step : std::uint8_t {
  kKeep = 0,    // count: so many old files stay as they are
  kDrop = 1,    // count: so many old files are gone
  kChange = 2,  // the next old file has other bytes, or another executable bit
  kAdd = 3,     // path: a file that the old tree does not have
};
enum Flags : std::uint8_t {
  kExecutable = 1,
  kFromOld = 2,  // the bytes of the old file whose index follows
  kFromNew = 4,  // the bytes of the earlier new file whose index follows, which is made
};

// Paths share their beginnings with the one before.
class PathWriter {
 public:
  explicit PathWriter(ByteWriter& writer) : writer_(writer) {}
  void write(const std::string& path) {
    const auto [here, there] = std::ranges::mismatch(path, last_);
    const auto shared = static_cast<std::size_t>(here - path.begin());
    writer_.varint(shared);
    writer_.varint(path.size() - shared);
    writer_.raw(as_bytes(path).subspan(shared));
    last_ = path;
  }

 private:
  ByteWriter& writer_;
  std::string last_;
};

class PathReader {
 public:
  // `left`: bytes that all paths of the record may have, for a few bytes can say a long one.
  PathReader(ByteReader& reader, std::uint64_t& left) : reader_(reader), left_(left) {}
  Result<RelativePath> read() {
    SHOAL_ASSIGN(const auto shared, reader_.varint());
    SHOAL_ASSIGN(const auto more, reader_.varint());
    if (shared > last_.size() || more > RelativePath::kMaxBytes) return reader_.bad("a bad path");
    if (shared + more > left_) return reader_.bad("paths that are too long together");
    left_ -= shared + more;
    SHOAL_ASSIGN(const auto bytes, reader_.raw(more));
    last_.resize(shared);
    last_ += as_text(bytes);
    return RelativePath::parse(last_);
  }

 private:
  ByteReader& reader_;
  std::uint64_t& left_;
  std::string last_;
};

void write_content(ByteWriter& writer, const FileEntry& file, const Origin& origin) {
  const bool from_old = origin.kind == Origin::Kind::old_file;
  const bool from_new = origin.kind == Origin::Kind::new_file;
  const std::uint8_t flags =
      (file.executable ? kExecutable : 0) | (from_old ? kFromOld : 0) | (from_new ? kFromNew : 0);
  writer.raw({&flags, 1});
  if (from_old || from_new) {
    writer.varint(origin.source.value());
    return;
  }
  writer.varint(file.size);
  if (file.size > 0) writer.raw(ByteView(file.root.bytes).first(std::tuple_size_v<RootStart>));
}

bool is_same(const FileEntry& a, const FileEntry& b) {
  return a.size == b.size && a.root == b.root && a.executable == b.executable;
}

class FileWriter {
 public:
  explicit FileWriter(ByteWriter& writer) : writer_(writer), paths_(writer) {}

  void write(const Component& old_tree, const Component& new_tree) {
    writer_.varint(new_tree.files.size());
    const auto origins = match_trees(old_tree.files, new_tree.files);
    auto old = old_tree.files.begin();
    for (std::size_t i = 0; i < new_tree.files.size(); ++i) {
      const auto& file = new_tree.files[i];
      for (; old != old_tree.files.end() && old->path < file.path; ++old) run(kDrop);
      const bool known = old != old_tree.files.end() && old->path == file.path;
      if (known && is_same(*old, file)) {
        run(kKeep);
      } else if (known) {
        step(kChange);
        write_content(writer_, file, origins[i]);
      } else {
        step(kAdd);
        paths_.write(file.path.text());
        write_content(writer_, file, origins[i]);
      }
      if (known) ++old;
    }
    end_run();
  }

 private:
  void run(Step step) {
    if (run_step_ != step) end_run();
    run_step_ = step;
    ++run_length_;
  }
  void end_run() {
    if (run_length_ == 0) return;
    const std::uint8_t byte = run_step_;
    writer_.raw({&byte, 1});
    writer_.varint(run_length_);
    run_length_ = 0;
  }
  void step(Step step) {
    end_run();
    const std::uint8_t byte = step;
    writer_.raw({&byte, 1});
  }

  ByteWriter& writer_;
  PathWriter paths_;
  Step run_step_ = kKeep;
  std::uint64_t run_length_ = 0;
};

class FileReader {
 public:
  FileReader(ByteReader& reader, std::uint64_t& path_bytes, const Component& old_tree,
             TreeRecord& out)
      : reader_(reader), old_(old_tree.files), paths_(reader, path_bytes), out_(out) {}

  Result<void> read() {
    SHOAL_ASSIGN(const auto count, reader_.varint());
    if (count > kMaxTreeEntries) return reader_.bad("too many files");
    while (files_.size() < count) SHOAL_TRY(read_step(count - files_.size()));
    return {};
  }

 private:
  Result<void> read_step(std::uint64_t left) {
    SHOAL_ASSIGN(const auto step, reader_.raw(1));
    switch (step[0]) {
      case kKeep:
      case kDrop: {
        SHOAL_ASSIGN(const auto run, reader_.varint());
        if (run == 0 || run > old_.size() - next_old_) return reader_.bad("old files run out");
        if (step[0] == kKeep && run > left) return reader_.bad("more files than it says");
        for (std::uint64_t i = 0; step[0] == kKeep && i < run; ++i) {
          FileEntry file{old_[next_old_ + i].path};
          file.executable = old_[next_old_ + i].executable;
          SHOAL_TRY(add_from_old(std::move(file), next_old_ + i));
        }
        next_old_ += run;
        return {};
      }
      case kChange: {
        if (next_old_ == old_.size()) return reader_.bad("old files run out");
        return add_content(old_[next_old_++].path);
      }
      case kAdd: {
        SHOAL_ASSIGN(auto path, paths_.read());
        return add_content(std::move(path));
      }
      default:
        return reader_.bad("a step that is not known");
    }
  }

  Result<void> add_content(RelativePath path) {
    SHOAL_ASSIGN(const auto read, reader_.raw(1));
    const std::uint8_t flags = read[0];
    FileEntry file{std::move(path)};
    file.executable = (flags & kExecutable) != 0;
    switch (flags & ~kExecutable) {
      case 0:
        return add_made(std::move(file));
      case kFromOld: {
        SHOAL_ASSIGN(const auto index, reader_.varint());
        if (index >= old_.size()) return reader_.bad("an old file that is not there");
        return add_from_old(std::move(file), index);
      }
      case kFromNew: {
        SHOAL_ASSIGN(const auto index, reader_.varint());
        const bool made = index < files_.size() && out_.origins[index].kind == Origin::Kind::made;
        if (!made) return reader_.bad("a copy of a file that is not made");
        file.size = files_[index].size;
        return add(std::move(file), {Origin::Kind::new_file, index_of(index)}, {});
      }
      default:
        return reader_.bad("flags that are not known");
    }
  }

  Result<void> add_from_old(FileEntry file, std::uint64_t index) {
    file.size = old_[index].size;
    if (file.size == 0) return add(std::move(file), {}, {});
    return add(std::move(file), {Origin::Kind::old_file, index_of(index)}, {});
  }

  Result<void> add_made(FileEntry file) {
    SHOAL_ASSIGN(file.size, reader_.varint());
    if (file.size > kMaxFileBytes) return reader_.bad("a file that is too large");
    if (file.size == 0) return add(std::move(file), {}, {});
    RootStart start;
    SHOAL_ASSIGN(const auto bytes, reader_.raw(start.size()));
    std::ranges::copy(bytes, start.begin());
    return add(std::move(file), {Origin::Kind::made, index_of(files_.size())}, start);
  }

  Result<void> add(FileEntry file, Origin origin, RootStart start) {
    if (!files_.empty() && file.path <= files_.back().path)
      return reader_.bad("paths out of order");
    files_.push_back(std::move(file));
    out_.origins.push_back(origin);
    out_.root_starts.push_back(start);
    return {};
  }

  static FileIndex index_of(std::uint64_t number) {
    return FileIndex(static_cast<std::uint32_t>(number));
  }

  // What one release can hold: as many pieces as there may be, of the largest size.
  static constexpr std::uint64_t kMaxFileBytes = content::kMaxPieces * content::kMaxPieceSize;

  ByteReader& reader_;
  const std::vector<FileEntry>& old_;
  PathReader paths_;
  std::size_t next_old_ = 0;
  TreeRecord& out_;
  std::vector<FileEntry>& files_ = out_.tree.files;
};

Result<void> read_links(ByteReader& reader, std::uint64_t& path_bytes, Component& tree) {
  PathReader paths(reader, path_bytes);
  SHOAL_ASSIGN(const auto count, reader.varint());
  if (count > kMaxTreeEntries) return reader.bad("too many links");
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(auto path, paths.read());
    SHOAL_ASSIGN(const auto size, reader.varint());
    if (size > kMaxTargetBytes) return reader.bad("a link's target that is too long");
    SHOAL_ASSIGN(const auto target, reader.raw(size));
    if (i > 0 && path <= tree.symlinks.back().path) return reader.bad("paths out of order");
    tree.symlinks.push_back({std::move(path), std::string(as_text(target))});
  }
  return {};
}

Result<void> read_folders(ByteReader& reader, std::uint64_t& path_bytes, Component& tree) {
  PathReader paths(reader, path_bytes);
  SHOAL_ASSIGN(const auto count, reader.varint());
  if (count > kMaxTreeEntries) return reader.bad("too many folders");
  for (std::uint64_t i = 0; i < count; ++i) {
    SHOAL_ASSIGN(auto path, paths.read());
    if (i > 0 && path <= tree.directories.back()) return reader.bad("paths out of order");
    tree.directories.push_back(std::move(path));
  }
  return {};
}

}  // namespace

Bytes format_tree_record(const Component& old_tree, const Component& new_tree) {
  ByteWriter writer;
  writer.raw(tree_listing(old_tree.files).bytes);
  FileWriter(writer).write(old_tree, new_tree);
  writer.varint(new_tree.symlinks.size());
  PathWriter links(writer);
  for (const auto& link : new_tree.symlinks) {
    links.write(link.path.text());
    writer.varint(link.target.size());
    writer.raw(as_bytes(link.target));
  }
  writer.varint(new_tree.directories.size());
  PathWriter folders(writer);
  for (const auto& folder : new_tree.directories) folders.write(folder.text());

  const Bytes body = writer.take();
  Bytes record = seal_sized(kTreeRecordMagic, kTreeRecordVersion, body);
  const Digest digest = sha256(body);
  record.insert(record.end(), digest.bytes.begin(), digest.bytes.end());
  return record;
}

Result<TreeRecord> read_tree_record(const ReadNext& next, const Component& old_tree) {
  SHOAL_ASSIGN(const auto body,
               read_sized(next, kTreeRecordMagic, kTreeRecordVersion, kMaxTreeRecordBytes, kWhat));
  Digest digest;
  SHOAL_TRY(next(digest.bytes));
  ByteReader reader(body, kWhat);
  if (sha256(body) != digest) return reader.bad("its digest differs");
  SHOAL_ASSIGN(const auto listing, reader.raw(32));
  if (Digest::from_bytes(listing) != tree_listing(old_tree.files)) {
    return fail(made_for_another_tree("old", "names or sizes of its files differ"));
  }
  TreeRecord record;
  std::uint64_t path_bytes = kMaxTreeRecordBytes;
  SHOAL_TRY(FileReader(reader, path_bytes, old_tree, record).read());
  SHOAL_TRY(read_links(reader, path_bytes, record.tree));
  SHOAL_TRY(read_folders(reader, path_bytes, record.tree));
  SHOAL_TRY(reader.expect_end());
  return record;
}

}  // namespace shoal::delta
