// One window: what differs from its prediction, written to streams and read back. Private to the
// codec.
#pragma once

#include "content/byte_codec.hpp"
#include "delta/prediction.hpp"
#include "delta/streams.hpp"

namespace shoal::delta {

// The streams that windows use, all but the plan; each window's share of each follows the other.
inline constexpr std::size_t kWindowStreams = kStreamCount - 1;

// Appends to the streams what makes `actual` of the prediction.
void write_window(const Predictor::Window& predicted, ByteView actual, Streams& streams);

// The window's share of each stream, in the order of Stream from `literals` on.
using WindowShares = std::array<ByteView, kWindowStreams>;
// Corrects the prediction in place. Errors: metadata_invalid when the shares do not fit.
Result<void> apply_window(Predictor::Window& predicted, const WindowShares& shares);

}  // namespace shoal::delta
