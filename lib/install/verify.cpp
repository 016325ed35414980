// Verify reads everything and believes no stamp. Hashing is spread over the pool; the rest is a
// status call an entry. How much of a damaged file is bad is told by its recipe, chunk by chunk.
#include "install/verify.hpp"

#include <algorithm>

#include "install/hash_files.hpp"
#include "install/look.hpp"

namespace shoal::install {
namespace {

struct Subject {
  std::uint32_t component = 0;
  std::uint32_t file = 0;
};

class Verifier {
 public:
  Verifier(const BeneathDir& library, const RelativePath& folder,
           const std::vector<InstalledComponent>& installed, const StopToken& stop)
      : library_(library), folder_(folder), installed_(installed), stop_(stop) {}

  Result<void> examine();
  Result<void> judge(const std::vector<FileDigest>& digests);

  std::vector<FileToHash> to_hash;
  VerifyReport report;

 private:
  Result<void> examine_component(std::uint32_t component);
  Result<void> examine_file(std::uint32_t component, std::uint32_t file);
  Result<void> examine_link(std::uint32_t component, const content::SymlinkEntry& link);
  Result<void> examine_folder(std::uint32_t component, const RelativePath& path);
  Result<std::uint64_t> count_bad_bytes(const Subject& subject);
  void wound(std::uint32_t component, const RelativePath& path, WoundKind kind,
             std::uint64_t bad_bytes, bool expected = false) {
    report.wounds.push_back({component, path, kind, bad_bytes, expected});
  }

  const BeneathDir& library_;
  const RelativePath& folder_;
  const std::vector<InstalledComponent>& installed_;
  const StopToken& stop_;
  std::vector<Subject> subjects_;  // of to_hash
};

bool may_be_changed(const content::FileEntry& entry) {
  return entry.file_class != content::FileClass::content;
}

Result<void> Verifier::examine_file(std::uint32_t c, std::uint32_t f) {
  const auto& entry = installed_[c].component->files[f];
  SHOAL_ASSIGN(auto there, look(library_, entry.path.beneath(folder_)));
  ++report.files;
  if (!there) {
    wound(c, entry.path, WoundKind::missing, entry.size);
    return {};
  }
  if (there->type != EntryType::file) {
    bool users = there->type == EntryType::symlink && may_be_changed(entry);
    wound(c, entry.path, WoundKind::wrong_type, entry.size, users);
    return {};
  }
  if (there->executable != entry.executable) wound(c, entry.path, WoundKind::wrong_mode, 0);
  if (there->stamp.size != entry.size) {
    wound(c, entry.path, WoundKind::wrong_size, entry.size, may_be_changed(entry));
    return {};
  }
  if (entry.size == 0) {
    report.stamps[c][f] = there->stamp;
    return {};
  }
  subjects_.push_back({c, f});
  to_hash.push_back({entry.path.beneath(folder_), entry.size});
  report.bytes += entry.size;
  return {};
}

Result<void> Verifier::examine_link(std::uint32_t c, const content::SymlinkEntry& link) {
  auto path = link.path.beneath(folder_);
  SHOAL_ASSIGN(auto there, look(library_, path));
  if (!there) {
    wound(c, link.path, WoundKind::missing, 0);
  } else if (there->type != EntryType::symlink) {
    wound(c, link.path, WoundKind::wrong_type, 0);
  } else {
    auto target = library_.read_link(path);
    if (!target || *target != link.target) wound(c, link.path, WoundKind::wrong_link, 0);
  }
  return {};
}

Result<void> Verifier::examine_folder(std::uint32_t c, const RelativePath& path) {
  SHOAL_ASSIGN(auto there, look(library_, path.beneath(folder_)));
  if (!there)
    wound(c, path, WoundKind::missing, 0);
  else if (there->type != EntryType::directory)
    wound(c, path, WoundKind::wrong_type, 0);
  return {};
}

Result<void> Verifier::examine_component(std::uint32_t c) {
  const auto& component = *installed_[c].component;
  report.stamps.emplace_back(component.files.size());
  for (std::uint32_t f = 0; f < component.files.size(); ++f) {
    SHOAL_TRY(stop_.check());
    SHOAL_TRY(examine_file(c, f));
  }
  for (const auto& link : component.symlinks) SHOAL_TRY(examine_link(c, link));
  for (const auto& path : component.directories) SHOAL_TRY(examine_folder(c, path));
  return {};
}

Result<void> Verifier::examine() {
  for (std::uint32_t c = 0; c < installed_.size(); ++c) SHOAL_TRY(examine_component(c));
  return {};
}

// The bytes of chunks that are not what the recipe says; the whole file where there is none.
Result<std::uint64_t> Verifier::count_bad_bytes(const Subject& subject) {
  const auto& installed = installed_[subject.component];
  const auto& entry = installed.component->files[subject.file];
  auto fd = library_.open_read(entry.path.beneath(folder_));
  if (!fd || !installed.recipes || subject.file >= installed.recipes->files.size())
    return entry.size;
  std::uint64_t bad = 0;
  std::uint64_t offset = 0;
  Bytes bytes;
  for (const auto& chunk : installed.recipes->files[subject.file]) {
    SHOAL_TRY(stop_.check());
    bytes.resize(chunk.length);
    bool right = pread_exact(fd->get(), bytes, offset, entry.path.text()).has_value() &&
                 content::chunk_id(bytes) == chunk.id;
    if (!right) bad += chunk.length;
    offset += chunk.length;
  }
  return bad == 0 ? entry.size : bad;
}

Result<void> Verifier::judge(const std::vector<FileDigest>& digests) {
  for (std::size_t i = 0; i < digests.size(); ++i) {
    const auto& [c, f] = subjects_[i];
    const auto& entry = installed_[c].component->files[f];
    if (!digests[i].error && digests[i].root == entry.root) {
      report.stamps[c][f] = digests[i].stamp;
      continue;
    }
    SHOAL_ASSIGN(auto bad_bytes, count_bad_bytes(subjects_[i]));
    wound(c, entry.path, WoundKind::wrong_bytes, bad_bytes, may_be_changed(entry));
  }
  std::sort(report.wounds.begin(), report.wounds.end(), [](const Wound& a, const Wound& b) {
    return std::tie(a.component, a.path, a.kind) < std::tie(b.component, b.path, b.kind);
  });
  return {};
}

}  // namespace

bool VerifyReport::damaged() const {
  return std::any_of(wounds.begin(), wounds.end(),
                     [](const Wound& wound) { return !wound.expected; });
}

Result<VerifyReport> verify(const BeneathDir& library, const RelativePath& folder,
                            const std::vector<InstalledComponent>& installed, WorkerPool& pool,
                            const StopToken& stop,
                            const std::function<void(std::uint64_t)>& progress) {
  Verifier verifier(library, folder, installed, stop);
  SHOAL_TRY(verifier.examine());
  auto digests = hash_files(library, verifier.to_hash, pool, stop, progress);
  SHOAL_TRY(stop.check());
  SHOAL_TRY(verifier.judge(digests));
  return std::move(verifier.report);
}

std::string_view name_of(WoundKind kind) {
  switch (kind) {
    case WoundKind::missing:
      return "missing";
    case WoundKind::wrong_type:
      return "wrong_type";
    case WoundKind::wrong_size:
      return "wrong_size";
    case WoundKind::wrong_bytes:
      return "wrong_bytes";
    case WoundKind::wrong_mode:
      return "wrong_mode";
    case WoundKind::wrong_link:
      return "wrong_link";
  }
  return "missing";
}

}  // namespace shoal::install
