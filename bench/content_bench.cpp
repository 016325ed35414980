// The inner loops that publishing, installing and seeding spend their time in, one thread each.
// Inputs are seeded: text-like bytes that compress about 3:1, except where noted.
#include <benchmark/benchmark.h>

#include <random>

#include "base/sha256.hpp"
#include "content/edge_index.hpp"
#include "content/image.hpp"
#include "content/merkle.hpp"
#include "content/recipe.hpp"

namespace shoal {
namespace {

constexpr std::size_t kInputBytes = 8 << 20;
constexpr std::uint32_t kPieceBytes = 1 << 20;

Bytes random_bytes(std::size_t size) {
  std::mt19937_64 random(1);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

// Words drawn from a vocabulary, as program text and data tables repeat themselves.
Bytes text_like_bytes(std::size_t size) {
  std::mt19937_64 random(2);
  std::vector<Bytes> words(2000);
  for (auto& word : words)
    for (auto length = 3 + random() % 9; length > 0; --length)
      word.push_back(static_cast<std::uint8_t>(random() % 200));
  Bytes bytes;
  while (bytes.size() < size) {
    const auto& word = words[random() % words.size()];
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  bytes.resize(size);
  return bytes;
}

void count_bytes(benchmark::State& state, std::size_t bytes_each) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes_each));
}

void BM_Sha256(benchmark::State& state) {
  auto input = random_bytes(kInputBytes);
  for (auto _ : state) benchmark::DoNotOptimize(sha256(input));
  count_bytes(state, input.size());
}
BENCHMARK(BM_Sha256);

void BM_FileMerkleRoot(benchmark::State& state) {
  auto input = random_bytes(kInputBytes);
  for (auto _ : state) {
    content::FileHasher hasher;
    hasher.update(input);
    benchmark::DoNotOptimize(hasher.finish());
  }
  count_bytes(state, input.size());
}
BENCHMARK(BM_FileMerkleRoot);

void BM_PieceHash(benchmark::State& state) {
  auto input = random_bytes(kPieceBytes);
  for (auto _ : state) benchmark::DoNotOptimize(content::piece_hash(input));
  count_bytes(state, input.size());
}
BENCHMARK(BM_PieceHash);

void BM_Chunker(benchmark::State& state) {
  auto input = text_like_bytes(kInputBytes);
  std::size_t chunks = 0;
  for (auto _ : state) {
    content::Chunker chunker([&](const content::Chunk&) { ++chunks; });
    chunker.update(input);
    chunker.finish();
  }
  benchmark::DoNotOptimize(chunks);
  count_bytes(state, input.size());
}
BENCHMARK(BM_Chunker);

void BM_FrameCompress(benchmark::State& state) {
  auto input = text_like_bytes(content::kDefaultFrameSize);
  std::size_t stored = 0;
  for (auto _ : state)
    stored = content::compress_frame(input, static_cast<int>(state.range(0))).bytes.size();
  count_bytes(state, input.size());
  state.counters["ratio"] = static_cast<double>(input.size()) / static_cast<double>(stored);
}
BENCHMARK(BM_FrameCompress)->Arg(3)->Arg(content::kDefaultZstdLevel);

// What no compressor shrinks: archives, video, encrypted data.
void BM_FrameCompressRandom(benchmark::State& state) {
  auto input = random_bytes(content::kDefaultFrameSize);
  for (auto _ : state)
    benchmark::DoNotOptimize(content::compress_frame(input, content::kDefaultZstdLevel));
  count_bytes(state, input.size());
}
BENCHMARK(BM_FrameCompressRandom);

void BM_FrameDecompress(benchmark::State& state) {
  auto input = text_like_bytes(content::kDefaultFrameSize);
  auto stored = content::compress_frame(input, content::kDefaultZstdLevel);
  Bytes output(input.size());
  for (auto _ : state)
    if (!content::decompress_frame(stored.frame, stored.bytes, output))
      state.SkipWithError("the frame did not decompress");
  count_bytes(state, input.size());
}
BENCHMARK(BM_FrameDecompress);

// A component of that many files of up to 64 KiB.
content::Component make_component(std::int64_t files) {
  std::mt19937_64 random(3);
  content::Component component;
  std::uint64_t total = 0;
  for (std::int64_t i = 0; i < files; ++i) {
    auto number = std::to_string(i + 1'000'000);
    content::FileEntry file{.path = RelativePath::parse("data/" + number).value()};
    file.size = 1 + random() % 65536;
    total += file.size;
    component.files.push_back(std::move(file));
  }
  component.content.piece_size = content::choose_piece_size(total);
  component.content.image_size = content::lay_out(component.files, component.content.piece_size);
  return component;
}

// What serving a request from a peer begins with: which files a 16 KiB block lies in.
void BM_ImageMapBlock(benchmark::State& state) {
  auto component = make_component(state.range(0));
  content::ImageMap map(component);
  auto blocks = component.content.image_size / content::kBlockSize;
  std::mt19937_64 random(4);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        map.extents(random() % blocks * content::kBlockSize, content::kBlockSize));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(BM_ImageMapBlock)->Arg(1'000)->Arg(100'000);

void BM_ImageLayOut(benchmark::State& state) {
  auto component = make_component(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(content::lay_out(component.files, component.content.piece_size));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(BM_ImageLayOut)->Arg(100'000);

}  // namespace
}  // namespace shoal
