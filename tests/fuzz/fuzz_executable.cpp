// Old programs of a delta, ELF and PE: where they keep addresses, and the references in each of
// their blocks. Whatever the headers say, references lie in their block, in order and apart.
#include <algorithm>

#include "delta/executable_layout.hpp"
#include "delta/references.hpp"
#include "fuzzer.hpp"

SHOAL_FUZZER(executable) {
  using namespace shoal;
  using delta::ReferenceFinder;
  const delta::MemorySource file(bytes);
  auto layout = delta::read_layout(file);
  fuzz::require(layout.has_value(), "any file has some layout");
  const auto addresses = layout->addresses;
  auto finder = ReferenceFinder::make(file, std::move(*layout));
  fuzz::require(finder.has_value(), "any layout has a finder");
  std::vector<delta::Reference> references;
  for (std::uint64_t begin = 0; begin < bytes.size(); begin += ReferenceFinder::kBlockBytes) {
    const auto block = bytes.subspan(
        begin, std::min<std::size_t>(bytes.size() - begin, ReferenceFinder::kBlockBytes));
    references.clear();
    finder->find(begin / ReferenceFinder::kBlockBytes, block, references);
    std::uint64_t free_from = begin;
    for (const auto& reference : references) {
      fuzz::require(reference.offset >= free_from, "references are in order and apart");
      free_from = reference.offset + reference.width();
      fuzz::require(free_from <= begin + block.size(), "a reference ends in its block");
      const std::uint64_t here = addresses.address_of(reference.offset).value_or(0);
      const std::uint64_t value =
          delta::load_value(bytes.data() + reference.offset, reference.width());
      const std::uint64_t target =
          delta::reference_target(reference.kind, value, here, reference.base);
      fuzz::require(delta::reference_value(reference.kind, target, here, reference.base) == value,
                    "a target gives its value back");
    }
  }
}
