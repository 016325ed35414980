// release.json in and out. Parsing is size check, nesting check, JSON, fields, then the rules that
// span fields: the layout of each image here, the paths of the whole tree in tree_paths.cpp.
#include "content/manifest.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <set>

#include "content/json_fields.hpp"
#include "content/manifest_deltas.hpp"

namespace shoal::content {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kFormatVersion = 1;
constexpr std::string_view kFormatName = "shoal-release";
constexpr int kMaxNesting = 16;  // ours is 5; deeper nesting only serves to use up memory
constexpr std::size_t kMaxValues = 10'000'000;  // 7 a file; a value is much larger than its text
constexpr std::size_t kMaxComponents = 256;
constexpr std::size_t kMaxEntries = 4'000'000;  // of one kind; more than kMaxReleaseJsonBytes holds
constexpr std::size_t kMaxTrackers = 64;
constexpr std::size_t kMaxArguments = 256;
constexpr std::size_t kMaxPlatforms = 16;
constexpr std::size_t kMaxText = 4096;  // a path, a URL, an argument
constexpr std::uint64_t kMaxBytes = kMaxPieces * kMaxPieceSize;

std::string_view class_name(FileClass file_class) {
  switch (file_class) {
    case FileClass::content:
      return "content";
    case FileClass::config:
      return "config";
    case FileClass::create_once:
      return "create_once";
  }
  return {};
}

ordered_json file_json(const FileEntry& file) {
  ordered_json object = {{"path", file.path.text()}};
  if (file.size > 0) {
    object["size"] = file.size;
    object["root"] = file.root.hex();
    object["offset"] = file.offset;
  }
  if (file.executable) object["executable"] = true;
  if (file.file_class != FileClass::content) object["class"] = class_name(file.file_class);
  return object;
}

ordered_json component_json(const Component& component) {
  ordered_json files = ordered_json::array();
  for (const auto& file : component.files) files.push_back(file_json(file));
  ordered_json symlinks = ordered_json::array();
  for (const auto& link : component.symlinks)
    symlinks.push_back({{"path", link.path.text()}, {"target", link.target}});
  ordered_json directories = ordered_json::array();
  for (const auto& folder : component.directories) directories.push_back(folder.text());
  const ContentArtifact& content = component.content;
  ordered_json artifact = {{"piece_size", content.piece_size}, {"image_size", content.image_size}};
  if (content.image_size > 0) {
    artifact["info_hash"] = content.info_hash.hex();
    artifact["torrent"] = content.torrent_target;
    artifact["index"] = content.index_target;
    artifact["recipes"] = content.recipes_target;
    artifact["edge_bytes"] = content.edge_bytes;
  }
  ordered_json object = {{"name", component.name},
                         {"content", std::move(artifact)},
                         {"files", std::move(files)},
                         {"symlinks", std::move(symlinks)},
                         {"directories", std::move(directories)}};
  if (!component.deltas.empty()) object["deltas"] = deltas_json(component.deltas);
  return object;
}

// Bounds what the JSON parser can be made to allocate for nothing.
Result<void> check_shape(std::string_view text) {
  int depth = 0;
  std::size_t values = 1;  // each other one comes after one of ,[{
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++values;
      if (++depth > kMaxNesting)
        return fail(ErrorKind::metadata_invalid, "release.json is nested too deeply");
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',') {
      ++values;
    }
  }
  if (values > kMaxValues)
    return fail(ErrorKind::too_large,
                fmt::format("release.json has {} values, more than {}", values, kMaxValues));
  return {};
}

Result<Digest> digest_field(const JsonFields& fields, const char* key) {
  SHOAL_ASSIGN(auto text, fields.text(key, 64));
  auto digest = Digest::from_hex(text);
  if (!digest) return fields.bad(key, "is not a SHA-256 digest in hexadecimal");
  return *digest;
}

Result<FileClass> parse_class(const JsonFields& fields) {
  SHOAL_ASSIGN(auto name, fields.text_or("class", 32, "content"));
  for (auto known : {FileClass::content, FileClass::config, FileClass::create_once})
    if (name == class_name(known)) return known;
  return fields.bad("class", "is not a known class of files");
}

Result<FileEntry> parse_file(const json& value) {
  SHOAL_ASSIGN(auto fields, JsonFields::of(value, "a file of release.json"));
  SHOAL_ASSIGN(auto path_text, fields.text("path", kMaxText));
  SHOAL_ASSIGN(auto path, RelativePath::parse(path_text));
  FileEntry file{std::move(path)};
  SHOAL_ASSIGN(file.size, fields.number_or("size", kMaxBytes, 0));
  SHOAL_ASSIGN(file.executable, fields.flag_or("executable", false));
  SHOAL_ASSIGN(file.file_class, parse_class(fields));
  if (file.size == 0) return file;
  SHOAL_ASSIGN(file.root, digest_field(fields, "root"));
  if (!fields.has("offset")) return fields.bad("offset", "is missing");
  SHOAL_ASSIGN(file.offset, fields.number_or("offset", kMaxBytes, 0));
  return file;
}

// Refuses lists that are not in ascending order of their paths.
template <typename Entry, typename PathOf>
Result<void> check_sorted(const std::vector<Entry>& entries, PathOf path_of) {
  for (std::size_t i = 1; i < entries.size(); ++i) {
    const std::string& before = path_of(entries[i - 1]).text();
    const std::string& here = path_of(entries[i]).text();
    if (before == here)
      return fail(ErrorKind::path_collision, fmt::format("path '{}' occurs twice", here));
    if (before > here)
      return fail(ErrorKind::metadata_invalid,
                  fmt::format("release.json: '{}' is not in the order of paths", here));
  }
  return {};
}

Result<ContentArtifact> parse_content(const json& value) {
  SHOAL_ASSIGN(auto fields, JsonFields::of(value, "the content of a component"));
  ContentArtifact content;
  SHOAL_ASSIGN(auto piece_size, fields.number_or("piece_size", kMaxPieceSize, 0));
  if (piece_size < kMinPieceSize || !std::has_single_bit(piece_size))
    return fields.bad("piece_size", "is not a power of two from 16 KiB to 16 MiB");
  content.piece_size = static_cast<std::uint32_t>(piece_size);
  SHOAL_ASSIGN(content.image_size, fields.number_or("image_size", kMaxBytes, 0));
  if (content.image_size % piece_size != 0 || content.image_size / piece_size > kMaxPieces)
    return fields.bad("image_size", "is not a whole number of pieces, or too many");
  if (content.image_size == 0) return content;
  SHOAL_ASSIGN(content.info_hash, digest_field(fields, "info_hash"));
  for (auto [key, target] :
       {std::pair{"torrent", &content.torrent_target}, std::pair{"index", &content.index_target},
        std::pair{"recipes", &content.recipes_target}}) {
    SHOAL_ASSIGN(*target, fields.text(key, kMaxText));
    if (!RelativePath::parse(*target)) return fields.bad(key, "is not a relative path");
  }
  SHOAL_ASSIGN(content.edge_bytes, fields.number_or("edge_bytes", kMaxBytes, 0));
  return content;
}

Result<void> check_layout(const Component& component) {
  std::vector<const FileEntry*> placed;
  for (const FileEntry& file : component.files)
    if (file.size > 0) placed.push_back(&file);
  std::sort(placed.begin(), placed.end(),
            [](const FileEntry* a, const FileEntry* b) { return a->offset < b->offset; });
  std::uint64_t image_size = component.content.image_size;
  std::uint64_t end = 0;
  for (const FileEntry* file : placed) {
    // Neither sum nor difference can overflow: sizes and offsets are at most kMaxBytes.
    if (file->offset < end || file->offset + file->size > image_size)
      return fail(ErrorKind::metadata_invalid,
                  fmt::format("release.json: file '{}' overlaps another or leaves the image",
                              file->path.text()));
    end = file->offset + file->size;
  }
  return {};
}

Result<Component> parse_component(const json& value) {
  SHOAL_ASSIGN(auto fields, JsonFields::of(value, "a component of release.json"));
  Component component;
  SHOAL_ASSIGN(component.name, fields.text("name", kMaxText));
  SHOAL_TRY(check_name("component", component.name));
  SHOAL_ASSIGN(const json* files, fields.array("files", kMaxEntries));
  component.files.reserve(files->size());
  for (const json& item : *files) {
    SHOAL_ASSIGN(auto file, parse_file(item));
    component.files.push_back(std::move(file));
  }
  SHOAL_TRY(check_sorted(component.files, [](auto& f) -> auto& { return f.path; }));
  SHOAL_ASSIGN(const json* symlinks, fields.array("symlinks", kMaxEntries));
  for (const json& item : *symlinks) {
    SHOAL_ASSIGN(auto link, JsonFields::of(item, "a symbolic link of release.json"));
    SHOAL_ASSIGN(auto path_text, link.text("path", kMaxText));
    SHOAL_ASSIGN(auto path, RelativePath::parse(path_text));
    SHOAL_ASSIGN(auto target, link.text("target", kMaxText));
    component.symlinks.push_back({std::move(path), std::move(target)});
  }
  SHOAL_TRY(check_sorted(component.symlinks, [](auto& l) -> auto& { return l.path; }));
  SHOAL_ASSIGN(auto directories, fields.texts("directories", kMaxEntries, kMaxText));
  for (const std::string& text : directories) {
    SHOAL_ASSIGN(auto path, RelativePath::parse(text));
    component.directories.push_back(std::move(path));
  }
  SHOAL_TRY(check_sorted(component.directories, [](auto& d) -> auto& { return d; }));
  if (!value.contains("content")) return fields.bad("content", "is missing");
  SHOAL_ASSIGN(component.content, parse_content(value.at("content")));
  SHOAL_TRY(check_layout(component));
  SHOAL_ASSIGN(component.deltas, parse_deltas(fields));
  return component;
}

Result<void> parse_head(const JsonFields& fields, const json& value, Release& release) {
  SHOAL_ASSIGN(release.product, fields.text("product", kMaxText));
  SHOAL_TRY(check_name("product", release.product));
  SHOAL_ASSIGN(release.version, fields.text("version", kMaxText));
  SHOAL_TRY(check_name("version", release.version));
  SHOAL_ASSIGN(release.platforms, fields.texts("platforms", kMaxPlatforms, kMaxText));
  for (const std::string& platform : release.platforms) SHOAL_TRY(check_name("platform", platform));
  SHOAL_ASSIGN(release.allow_outside_links, fields.flag_or("allow_outside_links", false));
  SHOAL_ASSIGN(release.trackers, fields.texts("trackers", kMaxTrackers, kMaxText));
  if (!fields.has("launch")) return {};
  SHOAL_ASSIGN(auto launch, JsonFields::of(value.at("launch"), "the launch of release.json"));
  SHOAL_ASSIGN(release.launch.executable, launch.text_or("executable", kMaxText, ""));
  if (!release.launch.executable.empty()) SHOAL_TRY(RelativePath::parse(release.launch.executable));
  SHOAL_ASSIGN(release.launch.arguments, launch.texts("arguments", kMaxArguments, kMaxText));
  return {};
}

Result<Release> parse_fields(const json& value) {
  SHOAL_ASSIGN(auto fields, JsonFields::of(value, "release.json"));
  SHOAL_ASSIGN(auto format, fields.text("format", kMaxText));
  if (format != kFormatName) return fields.bad("format", "is not 'shoal-release'");
  SHOAL_ASSIGN(auto version, fields.number_or("format_version", UINT64_MAX, 0));
  if (version != kFormatVersion)
    return fail(ErrorKind::unsupported_version,
                fmt::format("release.json has format version {}; this program knows {}", version,
                            kFormatVersion));
  Release release;
  SHOAL_TRY(parse_head(fields, value, release));
  SHOAL_ASSIGN(const json* components, fields.array("components", kMaxComponents));
  if (components->empty()) return fields.bad("components", "is missing or empty");
  std::set<std::string> names;
  for (const json& item : *components) {
    SHOAL_ASSIGN(auto component, parse_component(item));
    if (!names.insert(component.name).second)
      return fields.bad("components", "has two components of one name");
    release.components.push_back(std::move(component));
  }
  return release;
}

}  // namespace

std::uint64_t Component::total_bytes() const {
  std::uint64_t sum = 0;
  for (const FileEntry& file : files) sum += file.size;
  return sum;
}

std::string format_release(const Release& release) {
  ordered_json components = ordered_json::array();
  for (const Component& component : release.components)
    components.push_back(component_json(component));
  ordered_json object = {
      {"format", kFormatName},          {"format_version", kFormatVersion},
      {"product", release.product},     {"version", release.version},
      {"platforms", release.platforms}, {"allow_outside_links", release.allow_outside_links},
      {"trackers", release.trackers}};
  if (!release.launch.executable.empty())
    object["launch"] = {{"executable", release.launch.executable},
                        {"arguments", release.launch.arguments}};
  object["components"] = std::move(components);
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

bool needs_distinct_case(const Release& release) {
  return std::any_of(
      release.platforms.begin(), release.platforms.end(),
      [](const std::string& platform) { return platform == "windows" || platform == "macos"; });
}

Result<Release> parse_release(ByteView bytes) {
  if (bytes.size() > kMaxReleaseJsonBytes)
    return fail(ErrorKind::too_large, fmt::format("release.json has {} bytes, more than {}",
                                                  bytes.size(), kMaxReleaseJsonBytes));
  SHOAL_TRY(check_shape(as_text(bytes)));
  json value = json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (value.is_discarded())
    return fail(ErrorKind::metadata_invalid, "release.json is not well-formed JSON");
  SHOAL_ASSIGN(auto release, parse_fields(value));
  value = nullptr;  // as large as the release itself
  SHOAL_TRY(check_tree_paths(release, needs_distinct_case(release)));
  return release;
}

}  // namespace shoal::content
