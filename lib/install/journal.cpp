// The journal as bytes. Reading checks what the checksum cannot: that every path and name is one,
// and every index has its stamp.
#include "install/journal.hpp"

#include "install/wire.hpp"

namespace shoal::install {
namespace {

constexpr std::array<char, 4> kMagic = {'S', 'H', 'J', 'R'};
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMinStampBytes = 3;

std::unexpected<Error> senseless() {
  return fail(ErrorKind::state_corrupt, "read a commit's journal: it contradicts itself");
}

Result<RelativePath> read_path(WireReader& in) {
  SHOAL_ASSIGN(auto text, in.text());
  auto path = RelativePath::parse(text);
  if (!path) return senseless();
  return std::move(*path);
}

template <typename Read>
Result<void> read_list(WireReader& in, std::size_t bytes_each, Read read) {
  SHOAL_ASSIGN(auto count, in.count(bytes_each));
  for (std::size_t i = 0; i < count; ++i) {
    Result<void> one = read();
    if (!one) return one;
  }
  return {};
}

void write_stamped(WireWriter& out, const std::vector<Journal::Stamped>& list) {
  out.number(list.size());
  for (const auto& [path, stamp] : list) {
    out.text(path.text());
    out.stamp(stamp);
  }
}

Result<void> read_stamped(WireReader& in, std::vector<Journal::Stamped>& list) {
  return read_list(in, 1 + kMinStampBytes, [&]() -> Result<void> {
    SHOAL_ASSIGN(auto path, read_path(in));
    SHOAL_ASSIGN(auto stamp, in.stamp());
    list.push_back({std::move(path), stamp});
    return {};
  });
}

void write_paths(WireWriter& out, const std::vector<RelativePath>& paths) {
  out.number(paths.size());
  for (const auto& path : paths) out.text(path.text());
}

Result<void> read_paths(WireReader& in, std::vector<RelativePath>& paths) {
  return read_list(in, 1, [&]() -> Result<void> {
    SHOAL_ASSIGN(auto path, read_path(in));
    paths.push_back(std::move(path));
    return {};
  });
}

Result<void> read_components(WireReader& in, std::vector<Journal::Component>& components) {
  return read_list(in, 2, [&]() -> Result<void> {
    auto& component = components.emplace_back();
    SHOAL_ASSIGN(component.name, in.text());
    if (!check_name("component", component.name)) return senseless();
    return read_list(in, kMinStampBytes, [&]() -> Result<void> {
      SHOAL_ASSIGN(auto stamp, in.stamp());
      component.stamps.push_back(stamp);
      return {};
    });
  });
}

Result<void> read_placements(WireReader& in, Journal& journal) {
  return read_list(in, 3 + kMinStampBytes, [&]() -> Result<void> {
    SHOAL_ASSIGN(auto component, in.number());
    SHOAL_ASSIGN(auto file, in.number());
    SHOAL_ASSIGN(auto path, read_path(in));
    SHOAL_ASSIGN(auto replaces, in.stamp());
    if (component >= journal.components.size() ||
        file >= journal.components[component].stamps.size())
      return senseless();
    journal.place.push_back({static_cast<std::uint32_t>(component),
                             static_cast<std::uint32_t>(file), std::move(path), replaces});
    return {};
  });
}

Result<void> read_modes_and_links(WireReader& in, Journal& journal) {
  auto modes = read_list(in, 2 + kMinStampBytes, [&]() -> Result<void> {
    SHOAL_ASSIGN(auto path, read_path(in));
    SHOAL_ASSIGN(auto stamp, in.stamp());
    SHOAL_ASSIGN(auto executable, in.number());
    journal.modes.push_back({std::move(path), stamp, executable != 0});
    return {};
  });
  if (!modes) return modes;
  return read_list(in, 2, [&]() -> Result<void> {
    SHOAL_ASSIGN(auto path, read_path(in));
    SHOAL_ASSIGN(auto target, in.text());
    journal.links.push_back({std::move(path), std::move(target)});
    return {};
  });
}

}  // namespace

Bytes format_journal(const Journal& journal) {
  WireWriter out(kMagic, kVersion);
  out.text(journal.folder.text());
  out.text(journal.change);
  out.number(journal.components.size());
  for (const auto& component : journal.components) {
    out.text(component.name);
    out.number(component.stamps.size());
    for (const auto& stamp : component.stamps) out.stamp(stamp);
  }
  write_stamped(out, journal.aside);
  write_stamped(out, journal.remove);
  write_paths(out, journal.remove_folders);
  out.number(journal.place.size());
  for (const auto& place : journal.place) {
    out.number(place.component);
    out.number(place.file);
    out.text(place.path.text());
    out.stamp(place.replaces);
  }
  out.number(journal.modes.size());
  for (const auto& mode : journal.modes) {
    out.text(mode.path.text());
    out.stamp(mode.stamp);
    out.number(mode.executable ? 1 : 0);
  }
  out.number(journal.links.size());
  for (const auto& link : journal.links) {
    out.text(link.path.text());
    out.text(link.target);
  }
  write_paths(out, journal.folders);
  return out.finish();
}

Result<Journal> parse_journal(ByteView bytes) {
  SHOAL_ASSIGN(auto in, WireReader::open(bytes, kMagic, kVersion, "a commit's journal"));
  SHOAL_ASSIGN(auto folder, read_path(in));
  Journal journal(std::move(folder));
  SHOAL_ASSIGN(journal.change, in.text());
  if (!check_name("change", journal.change)) return senseless();
  SHOAL_TRY(read_components(in, journal.components));
  SHOAL_TRY(read_stamped(in, journal.aside));
  SHOAL_TRY(read_stamped(in, journal.remove));
  SHOAL_TRY(read_paths(in, journal.remove_folders));
  SHOAL_TRY(read_placements(in, journal));
  SHOAL_TRY(read_modes_and_links(in, journal));
  SHOAL_TRY(read_paths(in, journal.folders));
  SHOAL_TRY(in.expect_end());
  return journal;
}

}  // namespace shoal::install
