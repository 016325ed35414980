// The rules for the paths of a whole tree. All paths are sorted as if '/' were the smallest
// character: then a path comes directly before everything beneath it, and both "the same path
// twice" and "a file that is also a folder" show between neighbours. Links are resolved through
// the tree's other links, as the kernel would, so that no chain of them leads outside.
#include "content/tree_paths.hpp"

#include <fmt/core.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "content/manifest.hpp"

namespace shoal::content {
namespace {

constexpr std::size_t kMaxLinkTargetBytes = 4095;  // PATH_MAX less the NUL
constexpr int kMaxLinkSteps = 40;                  // as the kernel's: beyond that, ELOOP
constexpr std::size_t kMaxReportedNames = 100;     // a report for a person to read
// Components walked for all links together: 40 for each of 100,000 links.
constexpr std::size_t kMaxWalked = 4'000'000;

enum class Kind { file, symlink, directory };

struct Named {
  std::string_view path;
  Kind kind;
};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// utf8proc's answer for valid UTF-8; empty for anything else.
std::string map_utf8(std::string_view text, int options) {
  utf8proc_uint8_t* mapped = nullptr;
  utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                         static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                         static_cast<utf8proc_option_t>(options));
  std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, &std::free);
  if (length < 0) return {};
  return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length)};
}

bool path_less(std::string_view a, std::string_view b) {
  auto rank = [](char c) { return c == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(c)); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

bool is_beneath(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

std::vector<Named> all_paths(const Release& release) {
  std::vector<Named> all;
  for (const Component& component : release.components) {
    for (const auto& file : component.files) all.push_back({file.path.text(), Kind::file});
    for (const auto& link : component.symlinks) all.push_back({link.path.text(), Kind::symlink});
    for (const auto& folder : component.directories)
      all.push_back({folder.text(), Kind::directory});
  }
  std::sort(all.begin(), all.end(),
            [](const Named& a, const Named& b) { return path_less(a.path, b.path); });
  return all;
}

Result<void> check_exact(const std::vector<Named>& sorted) {
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const Named& here = sorted[i];
    if (!is_nfc(here.path))
      return fail(ErrorKind::path_invalid,
                  fmt::format("path '{}' is not in Unicode normalisation form C", here.path),
                  "Rename the file (for example with `convmv -f utf8 -t utf8 --nfc`).");
    if (i == 0) continue;
    const Named& before = sorted[i - 1];
    bool both_folders = before.kind == Kind::directory && here.kind == Kind::directory;
    if (before.path == here.path && !both_folders)
      return fail(ErrorKind::path_collision,
                  fmt::format("path '{}' occurs twice in the release", here.path));
    if (is_beneath(here.path, before.path) && before.kind != Kind::directory)
      return fail(ErrorKind::path_collision,
                  fmt::format("path '{}' is a file or link, but '{}' needs it to be a folder",
                              before.path, here.path));
  }
  return {};
}

// The components of a path, one after the other.
class Components {
 public:
  explicit Components(std::string_view path) : path_(path) {}
  bool next() {
    if (next_ > path_.size()) return false;
    begin_ = next_;
    end_ = std::min(path_.find('/', begin_), path_.size());
    next_ = end_ + 1;
    return true;
  }
  std::string_view name() const { return path_.substr(begin_, end_ - begin_); }
  std::string_view so_far() const { return path_.substr(0, end_); }

 private:
  std::string_view path_;
  std::size_t begin_ = 0, end_ = 0, next_ = 0;
};

struct Folded {
  std::string folded;
  std::string_view path;
};

// The first name, a folder's or the whole path, that is equal but for case; folding keeps slashes.
std::optional<std::string> collision_of(const Folded& a, const Folded& b) {
  Components folded_a(a.folded), folded_b(b.folded), path_a(a.path), path_b(b.path);
  while (folded_a.next() && folded_b.next() && path_a.next() && path_b.next()) {
    if (folded_a.name() != folded_b.name()) return std::nullopt;
    if (path_a.name() != path_b.name()) {
      const auto [first, second] = std::minmax({path_a.so_far(), path_b.so_far()});
      return fmt::format("'{}' and '{}' differ only in case", first, second);
    }
  }
  return std::nullopt;
}

// Names in the tree, folders too, that another name equals but for case. Sorted as folded, all
// paths beneath one folded name come together, so that it shows between neighbours if they
// write it differently. (Memory is in proportion to the text, whatever a publisher sends.)
std::vector<std::string> case_collisions(const std::vector<Named>& all) {
  std::vector<Folded> sorted;
  sorted.reserve(all.size());
  for (const Named& named : all) sorted.push_back({fold_case(named.path), named.path});
  std::sort(sorted.begin(), sorted.end(),
            [](const Folded& a, const Folded& b) { return path_less(a.folded, b.folded); });
  std::set<std::string> found;
  for (std::size_t i = 1; i < sorted.size() && found.size() < kMaxReportedNames; ++i)
    if (auto collision = collision_of(sorted[i - 1], sorted[i])) found.insert(*collision);
  return {found.begin(), found.end()};
}

using Links = std::unordered_map<std::string_view, std::string_view>;

// Pushes the components of `path` so that its first one is on top.
void push_components(std::vector<std::string_view>& stack, std::string_view path) {
  std::size_t end = path.size();
  while (true) {
    std::size_t slash = end == 0 ? std::string_view::npos : path.rfind('/', end - 1);
    std::size_t start = slash == std::string_view::npos ? 0 : slash + 1;
    stack.push_back(path.substr(start, end - start));
    if (slash == std::string_view::npos) return;
    end = slash;
  }
}

// Takes what it walks from the budget, and stops when nothing is left of that.
bool leads_outside(const Links& links, std::string_view link, std::size_t& budget) {
  std::string at;  // the path walked so far, "" for the tree's root
  std::vector<std::string_view> to_walk;
  push_components(to_walk, link);
  int steps = 0;
  for (; !to_walk.empty() && budget != 0; --budget) {
    std::string_view component = to_walk.back();
    to_walk.pop_back();
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (at.empty()) return true;
      auto slash = at.rfind('/');
      at.resize(slash == std::string::npos ? 0 : slash);
      continue;
    }
    std::size_t parent_length = at.size();
    if (!at.empty()) at += '/';
    at += component;
    auto target = links.find(at);
    if (target == links.end()) continue;
    if (target->second.starts_with('/')) return true;
    if (++steps > kMaxLinkSteps) return false;  // a loop leads nowhere
    at.resize(parent_length);
    push_components(to_walk, target->second);
  }
  return false;
}

Result<void> check_links(const Release& release) {
  Links links;
  for (const Component& component : release.components)
    for (const auto& link : component.symlinks) links.emplace(link.path.text(), link.target);
  std::size_t budget = kMaxWalked + 1;  // with the one that is too many
  for (const auto& [path, target] : links) {
    bool printable = std::all_of(target.begin(), target.end(), [](char c) {
      return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    });
    if (target.empty() || target.size() > kMaxLinkTargetBytes || !printable ||
        !is_valid_utf8(target))
      return fail(
          ErrorKind::path_invalid,
          fmt::format("the target of symbolic link '{}' is empty, too long or not text", path));
    if (release.allow_outside_links) continue;
    if (leads_outside(links, path, budget))
      return fail(ErrorKind::path_invalid,
                  fmt::format("symbolic link '{}' -> '{}' leads outside the tree", path, target),
                  "Remove the link, or publish with --allow-outside-links.");
    if (budget == 0)
      return fail(ErrorKind::too_large,
                  fmt::format("the symbolic links lead through more than {} folders", kMaxWalked),
                  "Publish fewer links, or links that lead straight to their target.");
  }
  return {};
}

}  // namespace

bool is_nfc(std::string_view text) {
  return is_ascii(text) || map_utf8(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == text;
}

std::string fold_case(std::string_view text) {
  if (!is_ascii(text))
    return map_utf8(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
  std::string folded(text);
  for (char& c : folded)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return folded;
}

Result<std::vector<std::string>> check_tree_paths(const Release& release, bool case_insensitive) {
  auto sorted = all_paths(release);
  SHOAL_TRY(check_exact(sorted));
  SHOAL_TRY(check_links(release));
  auto collisions = case_collisions(sorted);
  if (case_insensitive && !collisions.empty())
    return fail(ErrorKind::path_collision, collisions.front(),
                "Rename one of them: Windows and macOS cannot hold both.");
  return collisions;
}

}  // namespace shoal::content
