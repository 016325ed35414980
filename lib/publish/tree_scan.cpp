// A walk with a stack of folders still to visit; whatever is neither file, folder nor link ends it.
#include "publish/tree_scan.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace shoal::publish {
namespace {

struct FoundFile {
  content::FileEntry entry;
  FileStamp stamp;
};

class Walk {
 public:
  explicit Walk(const BeneathDir& tree) : tree_(tree) {}

  Result<ScannedTree> run() {
    to_visit_.push_back("");
    while (!to_visit_.empty()) {
      std::string folder = std::move(to_visit_.back());
      to_visit_.pop_back();
      SHOAL_TRY(visit(folder));
    }
    return sorted();
  }

 private:
  Result<void> visit(const std::string& folder) {
    SHOAL_ASSIGN(auto names, tree_.list(folder));
    if (names.empty() && !folder.empty()) {
      SHOAL_ASSIGN(auto path, RelativePath::parse(folder));
      found_.directories.push_back(std::move(path));
    }
    for (const std::string& name : names) {
      SHOAL_ASSIGN(auto path, RelativePath::parse(folder.empty() ? name : folder + '/' + name));
      SHOAL_TRY(take(path));
    }
    return {};
  }

  Result<void> take(const RelativePath& path) {
    SHOAL_ASSIGN(auto status, tree_.status(path));
    switch (status.type) {
      case EntryType::directory:
        to_visit_.push_back(path.text());
        return {};
      case EntryType::symlink: {
        SHOAL_ASSIGN(auto target, tree_.read_link(path));
        found_.symlinks.push_back({path, std::move(target)});
        return {};
      }
      case EntryType::file: {
        FoundFile file{content::FileEntry{path}, status.stamp};
        file.entry.size = status.stamp.size;
        file.entry.executable = status.executable;
        files_.push_back(std::move(file));
        return {};
      }
      case EntryType::other:
        break;
    }
    return fail(ErrorKind::unsupported_file_type,
                fmt::format("'{}' in {} is a FIFO, device or socket", path.text(), tree_.name()),
                "Remove it: a release holds files, folders and symbolic links only.");
  }

  ScannedTree sorted() {
    auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    std::sort(files_.begin(), files_.end(),
              [](const FoundFile& a, const FoundFile& b) { return a.entry.path < b.entry.path; });
    for (FoundFile& file : files_) {
      found_.files.push_back(std::move(file.entry));
      found_.stamps.push_back(file.stamp);
    }
    std::sort(found_.symlinks.begin(), found_.symlinks.end(), by_path);
    std::sort(found_.directories.begin(), found_.directories.end());
    return std::move(found_);
  }

  const BeneathDir& tree_;
  std::vector<std::string> to_visit_;
  std::vector<FoundFile> files_;
  ScannedTree found_;
};

}  // namespace

Result<ScannedTree> scan_tree(const BeneathDir& tree) { return Walk(tree).run(); }

}  // namespace shoal::publish
