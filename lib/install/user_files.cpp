// Moving aside is one rename, so a file is at its old place or at its new one, never at neither.
#include "install/user_files.hpp"

#include <fmt/core.h>

#include "install/look.hpp"

namespace shoal::install {
namespace {

constexpr int kMaxSavedCopies = 1000;  // of one path in one change; more is a loop somewhere
constexpr int kMaxDepth = 256;         // deeper than any path of ours; bounds the recursion

Result<void> list_beneath(const BeneathDir& library, const std::string& folder, std::size_t limit,
                          int depth, std::vector<std::string>& found) {
  auto names = library.list(folder);
  if (!names || names->empty() || depth > kMaxDepth) {
    if (found.size() < limit) found.push_back(folder);
    return {};
  }
  for (const auto& name : *names) {
    if (found.size() >= limit) return {};
    auto text = folder + '/' + name;
    auto path = RelativePath::parse(text);
    auto there = path ? look(library, *path) : std::optional<EntryStatus>{};
    if (there && *there && (*there)->type == EntryType::directory)
      SHOAL_TRY(list_beneath(library, text, limit, depth + 1, found));
    else
      found.push_back(text);
  }
  return {};
}

}  // namespace

Result<void> move_aside(const BeneathDir& library, const RelativePath& folder,
                        const RelativePath& path, const RelativePath& saved) {
  auto from = path.beneath(folder);
  SHOAL_ASSIGN(auto there, look(library, from));
  if (!there) return {};
  for (int attempt = 0; attempt < kMaxSavedCopies; ++attempt) {
    // An earlier one of this name, or a file where a folder is needed: another folder beside.
    auto base = attempt == 0 ? saved : known_path(fmt::format("{}/~{}", saved.text(), attempt));
    auto to = path.beneath(base);
    if (library.exists(to)) continue;
    if (auto made = library.make_parents(to); !made) {
      if (made.error().kind == ErrorKind::disk_full || made.error().kind == ErrorKind::read_only)
        return made;
      continue;
    }
    return library.rename(from, to);
  }
  return fail(ErrorKind::conflict, fmt::format("move {} aside: {} is full of earlier copies",
                                               from.text(), saved.text()));
}

Result<std::vector<std::string>> list_tree(const BeneathDir& library, const RelativePath& folder,
                                           std::size_t limit) {
  std::vector<std::string> found;
  SHOAL_ASSIGN(auto there, look(library, folder));
  if (there) SHOAL_TRY(list_beneath(library, folder.text(), limit, 0, found));
  return found;
}

}  // namespace shoal::install
