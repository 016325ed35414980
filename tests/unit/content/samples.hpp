// Values that several tests of `content` start from.
#pragma once

#include <random>
#include <string>

#include "content/image.hpp"
#include "content/manifest.hpp"

namespace shoal::content::test {

inline RelativePath path(std::string_view text) { return RelativePath::parse(text).value(); }

inline FileEntry file(std::string_view name, std::uint64_t size) {
  FileEntry entry{path(name)};
  entry.size = size;
  if (size > 0) entry.root = sha256(as_bytes(name));
  return entry;
}

inline Bytes random_bytes(std::mt19937_64& random, std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// A release of one component with these files, laid out.
inline Release release_of(std::vector<FileEntry> files, std::uint32_t piece_size = 64 * 1024) {
  Release release;
  release.product = "editor";
  release.version = "1.0";
  Component component;
  component.name = "base";
  component.files = std::move(files);
  component.content.piece_size = piece_size;
  component.content.image_size = lay_out(component.files, piece_size);
  if (component.content.image_size > 0) {
    component.content.info_hash = sha256(as_bytes("info"));
    component.content.torrent_target = "editor/1.0/base.torrent";
    component.content.index_target = "editor/1.0/base.index";
    component.content.recipes_target = "editor/1.0/base.recipes";
    component.content.edge_bytes = 12'345;
  }
  release.components.push_back(std::move(component));
  return release;
}

// Parses every prefix of the bytes, and the bytes with each single byte changed to a few others;
// `parse` returns false where it refused. Nothing may crash, and every prefix must be refused.
template <typename Parse>
void for_every_damage(const Bytes& good, Parse parse, auto on_prefix_accepted) {
  for (std::size_t length = 0; length < good.size(); ++length)
    if (parse(ByteView(good).first(length))) on_prefix_accepted(length);
  Bytes damaged = good;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int flip : {0x01, 0x80, 0xff, 0x10}) {
      damaged[i] = static_cast<std::uint8_t>(good[i] ^ flip);
      parse(damaged);
    }
    damaged[i] = good[i];
  }
}

}  // namespace shoal::content::test
