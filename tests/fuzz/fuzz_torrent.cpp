// A .torrent of ours, v2 or hybrid. As it is, and with the root that its layer of pieces has: no
// mutation of a layer would get past that otherwise.
#include <bit>

#include "content/bencode.hpp"
#include "content/merkle.hpp"
#include "content/torrent.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;
using Type = content::BencodeValue::Type;

void try_torrent(ByteView bytes) {
  auto torrent = content::parse_torrent(bytes);
  if (!torrent) return;
  fuzz::require(torrent->piece_size > 0, "pieces have a size");
  auto pieces = (torrent->image_size + torrent->piece_size - 1) / torrent->piece_size;
  fuzz::require(torrent->piece_hashes.size() == pieces, "every piece has a hash");

  const auto written = content::make_torrent({torrent->name,
                                              torrent->image_size,
                                              torrent->piece_size,
                                              torrent->piece_hashes,
                                              {},
                                              torrent->trackers});
  const auto again = content::parse_torrent(written);
  fuzz::require(again.has_value(), "what was written reads back");
  fuzz::require(again->name == torrent->name && again->image_size == torrent->image_size &&
                    again->piece_size == torrent->piece_size &&
                    again->piece_hashes == torrent->piece_hashes &&
                    again->trackers == torrent->trackers,
                "and says the same");
}

// The "pieces root" of the first file that has one: 32 bytes of what was parsed.
const content::BencodeValue* find_root(const content::BencodeValue& value) {
  if (const auto* root = value.find("pieces root", Type::string))
    return root->string.size() == sizeof(Digest) ? root : nullptr;
  for (const auto& [key, inner] : value.dictionary)
    if (const auto* found = find_root(inner)) return found;
  return nullptr;
}

// False where nothing is to be mended.
bool mend_root(Bytes& file) {
  const auto outer = content::parse_bencode(file);
  if (!outer) return false;
  const auto* info = outer->find("info", Type::dictionary);
  const auto* layers = outer->find("piece layers", Type::dictionary);
  const auto* piece_size = info == nullptr ? nullptr : info->find("piece length", Type::integer);
  const auto* root = info == nullptr ? nullptr : find_root(*info);
  if (layers == nullptr || layers->dictionary.size() != 1 || root == nullptr ||
      piece_size == nullptr || piece_size->integer < content::kBlockSize)
    return false;
  const auto& [key, layer] = layers->dictionary.front();
  if (key.size() != sizeof(Digest) || layer.string.empty()) return false;
  std::vector<Digest> hashes;
  for (auto rest = layer.string; rest.size() >= sizeof(Digest); rest = rest.subspan(sizeof(Digest)))
    hashes.push_back(*Digest::from_bytes(rest.first(sizeof(Digest))));
  const auto blocks = static_cast<std::uint64_t>(piece_size->integer) / content::kBlockSize;
  const auto mended = content::merkle_root(
      hashes, 0, content::merkle_pad(static_cast<unsigned>(std::countr_zero(blocks))));
  for (const auto* place : {reinterpret_cast<const std::uint8_t*>(key.data()), root->string.data()})
    std::ranges::copy(mended.bytes, file.begin() + (place - file.data()));
  return true;
}

}  // namespace

SHOAL_FUZZER(torrent) {
  try_torrent(bytes);
  Bytes file(bytes.begin(), bytes.end());
  if (mend_root(file)) try_torrent(file);
}
