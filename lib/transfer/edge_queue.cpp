// What is asked of the edge at a time, the window, is a quarter to half a second of its rate:
// enough to keep it busy, little enough that plans can change. One object may be missing while the
// edge is well, so it counts as down only when nothing works.
#include "transfer/edge_queue.hpp"

#include <algorithm>

namespace shoal::transfer {
namespace {

constexpr std::uint64_t kWindowsPerS = 4;
constexpr std::uint64_t kLookBytes = 1 << 20;  // asked of an edge that may be back
constexpr std::uint64_t kNarrowBytes = 256 << 10;
constexpr std::uint32_t kFailuresBeforeDown = 8;  // in a row, without a success
constexpr double kPacedSeconds = 0.4;             // of the edge's rate, paced pieces in flight

}  // namespace

void EdgeQueue::ask(std::uint32_t piece, Asked why) {
  pieces_.set_asked(piece, why);
  while (!order_.empty() && pieces_.asked(order_.front()) == Asked::no) order_.pop_front();
  order_.push_back(piece);
}

void EdgeQueue::piece_done(std::uint32_t piece) {
  if (pieces_.asked(piece) == Asked::no) return;
  // From the edge or from peers, we cannot tell: giving it back is harmless when it has come.
  take_back(piece);
  bytes_ += size_;
  bytes_since_limit_ += size_;
  failures_ = 0;
  down_until_ms_ = 0;
}

void EdgeQueue::failed(std::uint32_t piece, std::uint64_t retry_at_ms) {
  pieces_.set_asked(piece, Asked::no);
  pieces_.set_retry_at(piece, retry_at_ms);
  ++failures_;
  bool nothing_works = failures_ >= kFailuresBeforeDown || pieces_.asked_count() == 0;
  if (nothing_works || down()) down_until_ms_ = std::max(down_until_ms_, retry_at_ms);
}

void EdgeQueue::take_back(std::uint32_t piece) {
  pieces_.set_asked(piece, Asked::no);
  give_back_.push_back(piece);
}

void EdgeQueue::take_back_newer_half(const std::function<bool(std::uint32_t)>& chosen) {
  std::erase_if(order_, [&](std::uint32_t piece) { return pieces_.asked(piece) != Asked::must; });
  for (std::size_t i = order_.size(); i-- > order_.size() / 2;)
    if (chosen(order_[i])) take_back(order_[i]);
}

void EdgeQueue::take_back_what_peers_have() {
  for (auto piece : order_)
    if (pieces_.asked(piece) != Asked::no && pieces_.availability(piece) > 0) take_back(piece);
}

std::uint32_t EdgeQueue::limit(std::uint64_t max_bytes, bool windowed) {
  while (bytes_since_limit_ * 10 > window_bytes_ * kWindowsPerS && window_bytes_ < max_bytes)
    window_bytes_ *= 2;
  bytes_since_limit_ = 0;
  std::uint64_t bytes = windowed ? std::min(max_bytes, window_bytes_) : max_bytes;
  if (down()) bytes = std::min(bytes, kLookBytes);
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, bytes / size_));
}

void EdgeQueue::begin_narrow() { window_bytes_ = std::min(window_bytes_, kNarrowBytes); }

std::uint32_t EdgeQueue::paced_limit() const {
  return 2 + static_cast<std::uint32_t>(rate_ * kPacedSeconds / static_cast<double>(size_));
}

double EdgeQueue::sample_rate(std::uint64_t elapsed_ms) {
  // Less than before: the artifact was added anew.
  auto fresh = received_ - std::min(std::exchange(received_at_sample_, received_), received_);
  rate_ = static_cast<double>(fresh) * 1000 / static_cast<double>(elapsed_ms);
  return rate_;
}

}  // namespace shoal::transfer
