// Where the bytes of an old file are in a new one, and so what an address of the old program is in
// the new program.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "delta/executable_layout.hpp"

namespace shoal::delta {

// New bytes [new_begin, + size) are made from old bytes at old_begin. Which files the positions are
// in is the user's business: positions of the delta's old and new space, or of two files.
struct Cover {
  std::uint64_t old_begin = 0;
  std::uint64_t new_begin = 0;
  std::uint64_t size = 0;

  std::uint64_t old_end() const { return old_begin + size; }
  std::uint64_t new_end() const { return new_begin + size; }
  bool operator==(const Cover&) const = default;
};

// Old positions to new ones. Where covers overlap in the old file the longest one counts; what none
// covers goes along with the nearest.
class PositionMap {
 public:
  explicit PositionMap(std::span<const Cover> covers);

  // Empty only when there is no cover at all.
  std::optional<std::uint64_t> new_position(std::uint64_t old_position) const;

 private:
  std::vector<Cover> pieces_;  // by old_begin, without overlap
  std::vector<std::uint32_t>
      by_page_;  // page of old positions -> first piece that ends in or after
};

// An address that covers do not explain: memory without bytes in the file (.bss), or something that
// the new version put elsewhere.
struct AddressFix {
  std::uint64_t old_address = 0;
  std::uint64_t new_address = 0;

  bool operator==(const AddressFix&) const = default;
};

// Addresses of an old program to addresses of a new one.
class AddressTranslation {
 public:
  // `covers`: in offsets of the two files. `fixes`: by old_address, ascending.
  AddressTranslation(const AddressMap& old_addresses, const AddressMap& new_addresses,
                     std::span<const Cover> covers, std::span<const AddressFix> fixes);

  std::uint64_t translate(std::uint64_t old_address) const;

 private:
  const AddressMap& old_addresses_;
  const AddressMap& new_addresses_;
  PositionMap positions_;
  std::span<const AddressFix> fixes_;
  // By a hash of old_address: whether some fix has it. Spares most searches.
  static constexpr unsigned kFilterBits = 16;
  static std::size_t filter_slot(std::uint64_t address) {
    return (address * 0x9E3779B97F4A7C15ULL) >> (64 - kFilterBits);
  }
  std::bitset<std::size_t{1} << kFilterBits> maybe_fixed_;
};

}  // namespace shoal::delta
