// Two passes. First every reference becomes one constant byte and zeros; then the digest of the
// bytes at its target, thus masked, takes their place: the same function has the same digest in
// both versions though its own calls lead elsewhere, and different functions are told apart, which
// keeps tables of addresses in step.
#include "delta/mask.hpp"

#include <algorithm>
#include <cstring>

namespace shoal::delta {
namespace {

constexpr std::uint64_t kTargetBytes = 16;  // of a target, that are digested

std::uint32_t digest(ByteView bytes) {
  std::uint32_t hash = 2166136261U;  // FNV-1a, and a finishing mix
  for (const auto byte : bytes) hash = (hash ^ byte) * 16777619U;
  hash ^= hash >> 15;
  hash *= 0x2C1B3C6DU;
  return hash ^ (hash >> 12);
}

}  // namespace

void mask_references(ByteView file, const ReferenceFinder& finder, MutableByteView masked) {
  std::vector<Reference> references;
  constexpr auto kBlock = ReferenceFinder::kBlockBytes;
  for (std::uint64_t block = 0; block * kBlock < file.size(); ++block) {
    const auto rest = file.subspan(block * kBlock);
    finder.find(block, rest.first(std::min<std::size_t>(kBlock, rest.size())), references);
  }
  for (const auto& reference : references) {
    std::memset(masked.data() + reference.offset, 0, reference.width());
    masked[reference.offset] = static_cast<std::uint8_t>(reference.kind) + 1;
  }
  const auto& addresses = finder.layout().addresses;
  const Bytes first_pass(masked.begin(), masked.end());
  for (const auto& reference : references) {
    const auto here = addresses.address_of(reference.offset).value_or(0);
    const auto value = load_value(file.data() + reference.offset, reference.width());
    const auto target =
        addresses.offset_of(reference_target(reference.kind, value, here, reference.base));
    std::uint32_t token = 0;
    if (target && *target < first_pass.size()) {
      token = digest(ByteView(first_pass)
                         .subspan(*target, std::min<std::uint64_t>(kTargetBytes,
                                                                   first_pass.size() - *target)));
    }
    store_value(masked.data() + reference.offset, token, 4);
    if (reference.width() == 8) masked[reference.offset + 4] = 0;
  }
}

}  // namespace shoal::delta
