// A delta artifact between who fetches it and who decodes it: reading waits for the pieces that it
// needs. The fetching side never waits. Thread-safe.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "base/stop_token.hpp"
#include "install/tree_image.hpp"

namespace shoal::install {

class DeltaFeed {
 public:
  // `have`: the pieces that are in the image and right.
  DeltaFeed(std::shared_ptr<TreeImage> image, transfer::PieceSet have);

  // The fetching side: the piece is in the image, and its hash is right.
  void arrived(PieceIndex piece);
  // No more will arrive: reading gives this error where it would wait.
  void give_up(Error error);
  // Nor is there any sense in going on (a full disk): reading gives this error from now on.
  void fail(Error error);

  // The decoding side. Fills `out` with the artifact's bytes from `offset` on. Blocking, for as
  // long as a piece is missing; not on a thread that the fetching needs. Errors: cancelled (by
  // `stop`, noticed within a tenth of a second), those of give_up() and fail(), those of the image.
  Result<void> read(std::uint64_t offset, MutableByteView out, const StopToken& stop);
  std::optional<Error> failure() const;
  // Bytes of new files that were made, or were there.
  void count_made(std::uint64_t bytes);

  // How far it is: the piece that was read last or is waited for, and the bytes made.
  PieceIndex position() const;
  std::uint64_t made_bytes() const;

 private:
  const std::shared_ptr<TreeImage> image_;
  mutable std::mutex mutex_;  // guards what follows; not held while the image is read
  std::condition_variable changed_;
  transfer::PieceSet have_;
  std::optional<Error> given_up_;
  std::optional<Error> failed_;
  PieceIndex position_{0};
  std::uint64_t made_bytes_ = 0;
};

}  // namespace shoal::install
