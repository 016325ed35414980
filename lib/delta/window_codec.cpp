// Right predictions cost nothing: only the distances between wrong ones are written, with what was
// wrong. Differences are bytewise, modulo 256, as code that moved differs by the same numbers
// often.
#include "delta/window_codec.hpp"

#include <cstring>

namespace shoal::delta {
namespace {

std::unexpected<Error> bad() {
  return fail(ErrorKind::metadata_invalid, "the delta is damaged: a window's streams do not fit");
}

// A signed number of the reference's width, so that small errors are short.
std::int64_t error_of(std::uint64_t actual, std::uint64_t predicted, unsigned width) {
  if (width == 8) return static_cast<std::int64_t>(actual - predicted);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(actual - predicted));
}

void write_references(const Predictor::Window& predicted, ByteView actual,
                      content::ByteWriter& gaps, content::ByteWriter& errors) {
  std::uint64_t right = 0;
  for (const auto& reference : predicted.references) {
    const std::uint64_t is = load_value(actual.data() + reference.begin, reference.width);
    const std::uint64_t was = load_value(predicted.bytes.data() + reference.begin, reference.width);
    if (is == was) {
      ++right;
      continue;
    }
    gaps.varint(right);
    errors.signed_varint(error_of(is, was, reference.width));
    right = 0;
  }
}

void write_differences(const Predictor::Window& predicted, ByteView actual,
                       content::ByteWriter& gaps, Bytes& values) {
  std::uint64_t equal = 0;
  for (const auto& run : predicted.plain) {
    const std::uint8_t* is = actual.data() + run.begin;
    const std::uint8_t* was = predicted.bytes.data() + run.begin;
    for (std::uint64_t i = 0; i < run.size; ++i) {
      if (is[i] == was[i]) {
        ++equal;
        continue;
      }
      gaps.varint(equal);
      values.push_back(static_cast<std::uint8_t>(is[i] - was[i]));
      equal = 0;
    }
  }
}

Result<void> read_references(Predictor::Window& predicted, ByteView gap_bytes,
                             ByteView error_bytes) {
  content::ByteReader gaps(gap_bytes, "the delta's reference gaps");
  content::ByteReader errors(error_bytes, "the delta's reference errors");
  std::uint64_t at = 0;
  while (gaps.remaining() > 0) {
    SHOAL_ASSIGN(const auto gap, gaps.varint());
    SHOAL_ASSIGN(const auto error, errors.signed_varint());
    if (gap >= predicted.references.size() - at) return bad();
    const auto& reference = predicted.references[at + gap];
    std::uint8_t* bytes = predicted.bytes.data() + reference.begin;
    store_value(bytes, load_value(bytes, reference.width) + static_cast<std::uint64_t>(error),
                reference.width);
    at += gap + 1;
  }
  return errors.expect_end();
}

Result<void> read_differences(Predictor::Window& predicted, ByteView gap_bytes, ByteView values) {
  content::ByteReader gaps(gap_bytes, "the delta's difference gaps");
  auto run = predicted.plain.begin();
  std::uint64_t at = 0;  // in the run
  for (const std::uint8_t value : values) {
    SHOAL_ASSIGN(auto gap, gaps.varint());
    while (run != predicted.plain.end() && gap >= run->size - at) {
      gap -= run->size - at;
      at = 0;
      ++run;
    }
    if (run == predicted.plain.end()) return bad();
    at += gap;
    predicted.bytes[run->begin + at] =
        static_cast<std::uint8_t>(predicted.bytes[run->begin + at] + value);
    ++at;
  }
  return gaps.expect_end();
}

Result<void> read_literals(Predictor::Window& predicted, ByteView literals) {
  for (const auto& run : predicted.literals) {
    if (run.size > literals.size()) return bad();
    std::memcpy(predicted.bytes.data() + run.begin, literals.data(), run.size);
    literals = literals.subspan(run.size);
  }
  if (!literals.empty()) return bad();
  return {};
}

void append(Bytes& bytes, content::ByteWriter& writer) {
  const Bytes more = writer.take();
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

void write_window(const Predictor::Window& predicted, ByteView actual, Streams& streams) {
  Bytes& literals = stream(streams, Stream::literals);
  for (const auto& run : predicted.literals) {
    const auto bytes = actual.subspan(run.begin, run.size);
    literals.insert(literals.end(), bytes.begin(), bytes.end());
  }
  content::ByteWriter reference_gaps, reference_errors, difference_gaps;
  write_references(predicted, actual, reference_gaps, reference_errors);
  write_differences(predicted, actual, difference_gaps, stream(streams, Stream::difference_values));
  append(stream(streams, Stream::reference_gaps), reference_gaps);
  append(stream(streams, Stream::reference_errors), reference_errors);
  append(stream(streams, Stream::difference_gaps), difference_gaps);
}

Result<void> apply_window(Predictor::Window& predicted, const WindowShares& shares) {
  const auto share = [&](Stream which) { return shares[static_cast<std::size_t>(which) - 1]; };
  SHOAL_TRY(read_literals(predicted, share(Stream::literals)));
  SHOAL_TRY(
      read_references(predicted, share(Stream::reference_gaps), share(Stream::reference_errors)));
  return read_differences(predicted, share(Stream::difference_gaps),
                          share(Stream::difference_values));
}

}  // namespace shoal::delta
