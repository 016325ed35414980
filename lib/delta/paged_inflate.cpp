// A state is copied whenever a page is reached for the first time; going back begins at the
// nearest.
#include "delta/paged_inflate.hpp"

#include <zlib.h>

#include <algorithm>

#include "delta/damaged.hpp"

namespace shoal::delta {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr int kRawWindow = -15;  // raw deflate, with the largest window

std::unexpected<Error> no_member() {
  return bad("an old file has no compressed member where it should");
}

}  // namespace

// zlib's, and where in the stream it goes on.
struct PagedInflater::State {
  State() {
    if (::inflateInit2(&stream, kRawWindow) != Z_OK) throw std::bad_alloc();
  }
  State(State& other) : taken(other.taken) {
    if (::inflateCopy(&stream, &other.stream) != Z_OK) throw std::bad_alloc();
  }
  State& operator=(const State&) = delete;
  ~State() { ::inflateEnd(&stream); }

  z_stream stream{};
  std::uint64_t taken = 0;  // bytes of the packed ones
};

PagedInflater::PagedInflater(const ByteSource& packed, std::uint64_t begin, std::uint64_t end,
                             std::uint64_t plain_size)
    : packed_(packed), begin_(begin), end_(end), plain_size_(plain_size) {}

PagedInflater::~PagedInflater() = default;

Result<void> PagedInflater::read(std::uint64_t number, MutableByteView out) {
  SHOAL_TRY(go_to(number));
  return inflate_next(out);
}

// Pages on the way are inflated and forgotten.
Result<void> PagedInflater::go_to(std::uint64_t number) {
  const std::uint64_t nearest = std::min<std::uint64_t>(number, states_.size());
  const bool goes_on = now_ && next_ >= nearest && next_ <= number;
  if (!goes_on) {
    now_ =
        nearest == 0 ? std::make_unique<State>() : std::make_unique<State>(*states_[nearest - 1]);
    next_ = nearest;
  }
  Bytes skipped(next_ < number ? kPageBytes : 0);
  while (next_ < number) SHOAL_TRY(inflate_next(skipped));
  return {};
}

Result<void> PagedInflater::inflate_next(MutableByteView out) {
  const bool last = (next_ + 1) * kPageBytes >= plain_size_;
  z_stream& stream = now_->stream;
  Bytes input(kReadBytes);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  int result = Z_OK;
  while (result == Z_OK && (stream.avail_out > 0 || last)) {
    const auto read = MutableByteView(input).first(
        std::min<std::uint64_t>(kReadBytes, end_ - begin_ - now_->taken));
    if (auto done = packed_.read(begin_ + now_->taken, read); !done) {
      now_.reset();
      return done;
    }
    stream.next_in = input.data();
    stream.avail_in = static_cast<uInt>(read.size());
    result = ::inflate(&stream, Z_NO_FLUSH);
    now_->taken += read.size() - stream.avail_in;
  }
  const bool ended = result == Z_STREAM_END && now_->taken == end_ - begin_;
  if (stream.avail_out > 0 || (last ? !ended : result != Z_OK)) {
    now_.reset();
    return no_member();
  }
  ++next_;
  if (!last && states_.size() < next_) states_.push_back(std::make_unique<State>(*now_));
  return {};
}

}  // namespace shoal::delta
