// What a decoder knows about new bytes before it reads a single one of them from a delta: the old
// bytes they are made from, with the references in them translated. Encoder and decoder predict the
// same; the delta holds only what differs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "delta/deflate.hpp"
#include "delta/member_source.hpp"
#include "delta/old_space.hpp"
#include "delta/references.hpp"
#include "delta/translation.hpp"

namespace shoal::delta {

// An old program whose addresses are translated in one part.
struct OldProgram {
  std::size_t file = 0;                           // of the old space
  std::shared_ptr<const ReferenceFinder> finder;  // shared by the parts made from it
  std::vector<AddressFix> fixes;                  // by old address
};

// How a part's bytes stand in their file: compressed.
struct Packing {
  DeflateSettings settings;
  std::uint64_t packed_size = 0;  // what they take there
  // Unless 0: as the row of a PNG file's chunks of this size, whose zlib stream begins with
  // `zlib_header`. Otherwise as raw deflate.
  std::uint32_t png_chunk = 0;
  std::uint16_t zlib_header = 0;
};

// The unit of planning: a new file, or a stretch of a large one, or what a compressed member of it
// holds. Windows of it are predicted independently of each other, on any thread; a member's by one
// at a time.
struct Part {
  std::size_t file = 0;           // of the new files
  std::uint64_t file_offset = 0;  // of its first byte
  std::uint64_t size = 0;         // that windows make
  std::optional<Packing> packing;
  std::vector<OldMember> members;  // of the old space, for a packed part
  // Old positions in the old space, and behind it the members; new ones in the part; in order.
  std::vector<Cover> covers;
  std::vector<OldProgram> programs;
  AddressMap new_addresses;  // of the new file; empty without programs

  // What it takes in its file.
  std::uint64_t file_size() const { return packing ? packing->packed_size : size; }
};

inline constexpr std::uint64_t kReadAround = 16 * 1024;  // old bytes, where few are needed

// The translations of a part, made once for all its windows.
class Predictor {
 public:
  // Both outlive the predictor. A cover lies within one old file.
  Predictor(const OldSpace& old, const Part& part);
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;

  // Small, as a window may have a quarter of a million of either.
  struct Run {
    std::uint32_t begin = 0;  // in the window
    std::uint32_t size = 0;
  };
  struct PredictedReference {
    std::uint32_t begin = 0;  // in the window
    std::uint8_t width = 4;
  };
  // What the encoder needs to learn from its mistakes.
  struct ReferenceOrigin {
    std::size_t program = 0;  // index into the part's programs
    ReferenceKind kind = ReferenceKind::absolute64;
    std::uint64_t old_target = 0, new_here = 0, new_base = 0;
  };
  struct Window {
    Bytes bytes;                // the prediction; arbitrary in literals
    std::vector<Run> literals;  // what no cover makes
    std::vector<Run> plain;     // covered bytes outside of references
    std::vector<PredictedReference> references;
  };

  // The window [begin, begin + size) of the part, at most 4 GiB; what `window` held is forgotten,
  // its memory is used again. `origins`, if given, gets one for each reference. Errors: the
  // sources'.
  Result<void> predict(std::uint64_t begin, std::uint64_t size, Window& window,
                       std::vector<ReferenceOrigin>* origins = nullptr) const;

 private:
  struct Program {
    std::size_t index;
    std::uint64_t old_start;  // in the old space
    const ReferenceFinder& finder;
    AddressTranslation translation;
    std::uint64_t old_base;  // of its unwind index, and the translation of that
    std::uint64_t new_base;
  };
  class Walk;  // over one window

  const Program* program_of(std::size_t old_file) const;

  const OldSpace& old_;
  const Part& part_;
  std::vector<std::unique_ptr<Program>> programs_;
};

}  // namespace shoal::delta
