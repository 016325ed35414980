// What the swarm's disk layer and the edge read from and write to: the image of one artifact,
// backed by staged files, installed files, or both. Implemented by `install`.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/strong.hpp"

namespace shoal::transfer {

// Thread-safe: called by the swarm's disk threads and by workers.
class ImageStore {
 public:
  virtual ~ImageStore() = default;

  // Fills `out` from image offset `offset`; gaps read as zeros. For an installed file only while
  // its stamp (size, mtime, inode) is the verified one. Errors: verification_failed (it changed),
  // not_found, io_error.
  virtual Result<void> read(std::uint64_t offset, MutableByteView out) = 0;

  // Writes to staged files; bytes that fall into gaps are dropped. Never touches an installed or
  // finished file: bytes for one are dropped too, whatever they are. Errors: read_only (the store
  // is sealed: an installed tree), disk_full, io_error.
  virtual Result<void> write(std::uint64_t offset, ByteView bytes) = 0;

  // Whether every file under the piece is still what was verified: cheap (stat, no reading).
  virtual bool offers(PieceIndex piece) = 0;
};

}  // namespace shoal::transfer
