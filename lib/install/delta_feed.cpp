// One mutex and one condition. A stop token wakes nobody, so the wait looks at it now and then.
#include "install/delta_feed.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace shoal::install {
namespace {

constexpr std::chrono::milliseconds kLookAtStopEvery{100};

}  // namespace

DeltaFeed::DeltaFeed(std::shared_ptr<TreeImage> image, transfer::PieceSet have)
    : image_(std::move(image)), have_(std::move(have)) {}

void DeltaFeed::arrived(PieceIndex piece) {
  std::lock_guard lock(mutex_);
  have_.add(piece);
  changed_.notify_all();
}

void DeltaFeed::give_up(Error error) {
  std::lock_guard lock(mutex_);
  given_up_ = std::move(error);
  changed_.notify_all();
}

void DeltaFeed::fail(Error error) {
  std::lock_guard lock(mutex_);
  failed_ = std::move(error);
  changed_.notify_all();
}

Result<void> DeltaFeed::read(std::uint64_t offset, MutableByteView out, const StopToken& stop) {
  const std::uint64_t piece_size = image_->map().piece_size();
  while (!out.empty()) {
    const PieceIndex piece(static_cast<std::uint32_t>(offset / piece_size));
    const auto part =
        out.first(std::min<std::uint64_t>(out.size(), piece_size - offset % piece_size));
    {
      std::unique_lock lock(mutex_);
      position_ = piece;
      while (true) {
        SHOAL_TRY(stop.check());
        if (failed_) return shoal::fail(*failed_);
        if (have_.has(piece)) break;
        if (given_up_) return shoal::fail(*given_up_);
        changed_.wait_for(lock, kLookAtStopEvery);
      }
    }
    SHOAL_TRY(image_->read(offset, part));
    offset += part.size();
    out = out.subspan(part.size());
  }
  return {};
}

std::optional<Error> DeltaFeed::failure() const {
  std::lock_guard lock(mutex_);
  return failed_;
}

void DeltaFeed::count_made(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  made_bytes_ += bytes;
}

PieceIndex DeltaFeed::position() const {
  std::lock_guard lock(mutex_);
  return position_;
}

std::uint64_t DeltaFeed::made_bytes() const {
  std::lock_guard lock(mutex_);
  return made_bytes_;
}

}  // namespace shoal::install
