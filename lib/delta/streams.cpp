// Raw LZMA without any header, its dictionary as large as the stream: blocks are small, so this is
// also the bound of the decoder's memory. The few settings tried are those that win for some kind
// of stream: numbers like other alignments than text.
#include "delta/streams.hpp"

#include <lzma.h>

#include <algorithm>
#include <memory>

#include "base/for_each.hpp"

namespace shoal::delta {
namespace {

constexpr std::uint64_t kSmallestDictionary = LZMA_DICT_SIZE_MIN;

struct Setting {
  std::uint8_t lc, lp, pb;
};
constexpr std::array<Setting, 4> kSettings = {{{3, 0, 2}, {3, 0, 0}, {0, 0, 0}, {1, 0, 1}}};

std::uint8_t method_of(const Setting& setting) {
  return static_cast<std::uint8_t>((setting.pb * 5 + setting.lp) * 9 + setting.lc + 1);
}

lzma_options_lzma options_for(const Setting& setting, std::uint64_t plain_size) {
  lzma_options_lzma options;
  lzma_lzma_preset(&options, 9 | LZMA_PRESET_EXTREME);
  options.dict_size = static_cast<std::uint32_t>(std::max(plain_size, kSmallestDictionary));
  options.lc = setting.lc;
  options.lp = setting.lp;
  options.pb = setting.pb;
  return options;
}

Bytes compress(ByteView plain, const Setting& setting) {
  auto options = options_for(setting, plain.size());
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  Bytes packed(plain.size());  // what does not get shorter is stored
  std::size_t size = 0;
  if (lzma_raw_buffer_encode(filters, nullptr, plain.data(), plain.size(), packed.data(), &size,
                             packed.size()) != LZMA_OK) {
    return {};
  }
  packed.resize(size);
  return packed;
}

using Packed = std::array<Bytes, kSettings.size()>;  // by setting; empty: not shorter, or not tried

struct Job {
  std::size_t stream;
  std::size_t setting;
  std::size_t size;
};

// The largest first, so that no worker is left with one at the end.
void run(std::vector<Job>& jobs, const std::vector<ByteView>& plain, std::vector<Packed>& packed,
         WorkerPool* workers) {
  std::ranges::stable_sort(jobs, std::ranges::greater(), &Job::size);
  const auto compressed = [&](std::size_t i) -> Result<void> {
    const auto& job = jobs[i];
    packed[job.stream][job.setting] = compress(plain[job.stream], kSettings[job.setting]);
    return {};
  };
  (void)for_each(workers, jobs.size(), compressed);  // which has no errors
}

PackedStream shortest(ByteView plain, Packed& packed) {
  std::size_t best = kSettings.size();
  std::size_t size = plain.size();
  for (std::size_t i = 0; i < packed.size(); ++i) {
    if (packed[i].empty() || packed[i].size() >= size) continue;
    size = packed[i].size();
    best = i;
  }
  if (best == kSettings.size()) return {kStored, plain.size(), Bytes(plain.begin(), plain.end())};
  return {method_of(kSettings[best]), plain.size(), std::move(packed[best])};
}

}  // namespace

std::vector<PackedStream> pack_streams(const std::vector<ByteView>& plain, WorkerPool* workers) {
  std::vector<Packed> packed(plain.size());
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (!plain[i].empty()) jobs.push_back({i, 0, plain[i].size()});
  }
  run(jobs, plain, packed, workers);
  std::vector<Job> others;
  for (const auto& job : jobs) {
    if (packed[job.stream][0].empty()) continue;  // nothing helps, and trying is slow
    for (std::size_t i = 1; i < kSettings.size(); ++i) others.push_back({job.stream, i, job.size});
  }
  run(others, plain, packed, workers);
  std::vector<PackedStream> best;
  best.reserve(plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) best.push_back(shortest(plain[i], packed[i]));
  return best;
}

Result<Bytes> unpack_stream(std::uint8_t method, std::uint64_t plain_size, ByteView packed) {
  const auto bad = [] {
    return fail(ErrorKind::metadata_invalid, "the delta has a stream that cannot be unpacked");
  };
  if (method == kStored) {
    if (packed.size() != plain_size) return bad();
    return Bytes(packed.begin(), packed.end());
  }
  const unsigned properties = method - 1U;
  const Setting setting{static_cast<std::uint8_t>(properties % 9),
                        static_cast<std::uint8_t>(properties / 9 % 5),
                        static_cast<std::uint8_t>(properties / 45)};
  if (setting.lc + setting.lp > 4 || setting.pb > 4) return bad();
  auto options = options_for(setting, plain_size);
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  lzma_stream decoder = LZMA_STREAM_INIT;
  if (lzma_raw_decoder(&decoder, filters) != LZMA_OK) return bad();
  const auto ended = [](lzma_stream* open) { lzma_end(open); };
  const std::unique_ptr<lzma_stream, decltype(ended)> guard(&decoder, ended);
  Bytes plain(plain_size);
  decoder.next_in = packed.data();
  decoder.avail_in = packed.size();
  decoder.next_out = plain.data();
  decoder.avail_out = plain.size();
  const lzma_ret result = lzma_code(&decoder, LZMA_FINISH);
  // Raw LZMA1 has no end of its own when the size is known: every byte must be there.
  if ((result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR) ||
      decoder.avail_out != 0) {
    return bad();
  }
  return plain;
}

}  // namespace shoal::delta
