// Reuse below whole files. Only the ids that the files to be assembled need are looked up, so that
// memory follows the size of the change, not of the install.
#include <algorithm>
#include <cstring>

#include "content/image.hpp"
#include "install/look.hpp"
#include "install/old_tree.hpp"

namespace shoal::install {
namespace {

struct IdHash {
  std::size_t operator()(const content::ChunkId& id) const noexcept {
    std::size_t value;  // part of a SHA-256: uniformly distributed
    std::memcpy(&value, id.data(), sizeof value);
    return value;
  }
};

struct Place {
  bool found = false;
  OldIndex file;
  std::uint64_t offset = 0;
};
using Places = std::unordered_map<content::ChunkId, Place, IdHash>;

bool is_assembled(const FilePlan& file) {
  return file.origin == FileOrigin::assemble || file.origin == FileOrigin::leave;
}

template <typename Use>
void for_needed_chunks(const Plan& plan, Use use) {
  for (std::uint32_t c = 0; c < plan.components.size(); ++c) {
    const auto& target = plan.components[c].target;
    if (!target.recipes) continue;
    for (std::uint32_t f = 0; f < plan.components[c].files.size(); ++f) {
      if (!is_assembled(plan.components[c].files[f])) continue;
      std::uint64_t offset = 0;
      for (const auto& chunk : target.recipes->files[f]) {
        use(c, FileIndex(f), offset, chunk);
        offset += chunk.length;
      }
    }
  }
}

void note(Places& places, const content::Chunk& chunk, OldIndex file, std::uint64_t offset) {
  auto place = places.find(chunk.id);
  if (place != places.end() && !place->second.found) place->second = {true, file, offset};
}

// Cuts a changed file as it is now. A file that cannot be read, or shrinks meanwhile, gives what it
// gave so far: every chunk is checked again when it is copied.
Result<void> note_changed_file(const BeneathDir& library, const RelativePath& path, OldIndex file,
                               Places& places, const StopToken& stop) {
  constexpr std::size_t kReadBytes = 1 << 20;
  auto fd = library.open_read(path);
  if (!fd) return {};
  auto stamp = stamp_of(fd->get(), path.text());
  if (!stamp) return {};
  std::uint64_t cut_at = 0;
  content::Chunker chunker([&](const content::Chunk& chunk) {
    note(places, chunk, file, cut_at);
    cut_at += chunk.length;
  });
  Bytes buffer(kReadBytes);
  for (std::uint64_t at = 0; at < stamp->size; at += kReadBytes) {
    SHOAL_TRY(stop.check());
    auto part =
        MutableByteView(buffer).first(std::min<std::uint64_t>(kReadBytes, stamp->size - at));
    if (!pread_exact(fd->get(), part, at, path.text())) return {};
    chunker.update(part);
  }
  chunker.finish();
  return {};
}

void note_intact_file(const std::vector<content::Chunk>& chunks, OldIndex file, Places& places) {
  std::uint64_t offset = 0;
  for (const auto& chunk : chunks) {
    note(places, chunk, file, offset);
    offset += chunk.length;
  }
}

}  // namespace

Result<void> find_chunks(const BeneathDir& library, Plan& plan, const OldTree& old,
                         const StopToken& stop) {
  Places places;
  for_needed_chunks(plan, [&](std::uint32_t, FileIndex, std::uint64_t,
                              const content::Chunk& chunk) { places.try_emplace(chunk.id); });
  if (places.empty()) return {};
  for (std::uint32_t c = 0; c < plan.installed.size(); ++c) {
    const auto& installed = plan.installed[c];
    for (std::uint32_t f = 0; f < old.files[c].size(); ++f) {
      SHOAL_TRY(stop.check());
      OldIndex index{c, FileIndex(f)};
      const auto& file = old.files[c][f];
      if (file.state == OldState::intact && installed.recipes)
        note_intact_file(installed.recipes->files[f], index, places);
      if (file.state == OldState::changed)
        SHOAL_TRY(note_changed_file(
            library, installed.component->files[f].path.beneath(plan.folder), index, places, stop));
    }
  }
  for_needed_chunks(plan, [&](std::uint32_t component, FileIndex file, std::uint64_t offset,
                              const content::Chunk& chunk) {
    const auto& place = places.find(chunk.id)->second;
    if (place.found)
      plan.reuse.push_back(
          {place.file.component, place.file.file, place.offset, component, file, offset, chunk});
  });
  return {};
}

}  // namespace shoal::install
