// Raw LZMA without any header, its dictionary as large as the stream: blocks are small, so this is
// also the bound of the decoder's memory. The few settings tried are those that win for some kind
// of stream: numbers like other alignments than text. Of a long stream samples are tried.
#include "delta/streams.hpp"

#include <lzma.h>

#include <algorithm>
#include <functional>
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

constexpr std::size_t kWholeTried = 256 << 10;  // longer streams are sampled
constexpr std::size_t kSamples = 8;
constexpr std::size_t kSampleBytes = 16 << 10;

// What the settings are tried on: all of the stream, or stretches from everywhere in it.
Bytes trial_of(ByteView plain) {
  if (plain.size() <= kWholeTried) return {plain.begin(), plain.end()};
  Bytes samples;
  samples.reserve(kSamples * kSampleBytes);
  for (std::size_t i = 0; i < kSamples; ++i) {
    const auto sample =
        plain.subspan((plain.size() - kSampleBytes) / (kSamples - 1) * i, kSampleBytes);
    samples.insert(samples.end(), sample.begin(), sample.end());
  }
  return samples;
}

// The stream by each setting; empty where it was not shorter, or not tried.
struct Trial {
  Bytes plain;
  std::array<Bytes, kSettings.size()> packed;

  std::size_t best() const {
    const auto size = [](const Bytes& bytes) { return bytes.empty() ? SIZE_MAX : bytes.size(); };
    return static_cast<std::size_t>(std::ranges::min_element(packed, {}, size) - packed.begin());
  }
};

struct Job {
  std::size_t stream;
  std::size_t setting;
  std::size_t size;
};

// The largest first, so that no worker is left with one at the end.
void run(std::vector<Job> jobs, WorkerPool* workers, const std::function<void(const Job&)>& body) {
  std::ranges::stable_sort(jobs, std::ranges::greater(), &Job::size);
  const auto one = [&](std::size_t i) -> Result<void> {
    body(jobs[i]);
    return {};
  };
  (void)for_each(workers, jobs.size(), one);  // which has no errors
}

}  // namespace

std::vector<PackedStream> pack_streams(const std::vector<ByteView>& plain, WorkerPool* workers) {
  std::vector<Trial> trials;
  trials.reserve(plain.size());
  std::vector<Job> first, others, whole;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    trials.push_back({trial_of(plain[i]), {}});
    if (!plain[i].empty()) first.push_back({i, 0, trials[i].plain.size()});
  }
  const auto attempt = [&](const Job& job) {
    auto& trial = trials[job.stream];
    trial.packed[job.setting] = compress(trial.plain, kSettings[job.setting]);
  };
  run(first, workers, attempt);
  for (const auto& job : first) {
    if (trials[job.stream].packed[0].empty()) continue;  // nothing helps, and trying is slow
    for (std::size_t i = 1; i < kSettings.size(); ++i) others.push_back({job.stream, i, job.size});
  }
  run(others, workers, attempt);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (plain[i].size() > kWholeTried) whole.push_back({i, trials[i].best(), plain[i].size()});
  }
  run(whole, workers, [&](const Job& job) {
    auto& packed = trials[job.stream].packed;
    packed = {};
    packed[job.setting] = compress(plain[job.stream], kSettings[job.setting]);
  });
  std::vector<PackedStream> packed;
  packed.reserve(plain.size());
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::size_t best = trials[i].best();
    auto& bytes = trials[i].packed[best];
    if (bytes.empty()) {
      packed.push_back({kStored, plain[i].size(), Bytes(plain[i].begin(), plain[i].end())});
    } else {
      packed.push_back({method_of(kSettings[best]), plain[i].size(), std::move(bytes)});
    }
  }
  return packed;
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
