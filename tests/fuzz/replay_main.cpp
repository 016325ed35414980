// The fuzzers as an ordinary test: `fuzz_replay CORPUS NAME` feeds the fuzzer of that name every
// file of CORPUS/NAME, each also with some damage. The damage comes from a fixed seed, so that a
// failure is the same on every machine; what is new is found by libFuzzer, not here.
#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "fuzzer.hpp"

namespace shoal::fuzz {
namespace {

constexpr std::uint64_t kMaxSeedBytes = 64 << 10;  // seeds are small: the repository keeps them
constexpr int kDamagedCopies = 100;
constexpr unsigned kSeed = 20'261'122;

std::map<std::string, Fuzzer>& registry() {
  static std::map<std::string, Fuzzer> fuzzers;
  return fuzzers;
}

Bytes damaged(Bytes bytes, std::mt19937& random) {
  auto somewhere = [&] { return bytes.begin() + static_cast<int>(random() % (bytes.size() + 1)); };
  for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
    auto byte = static_cast<std::uint8_t>(random());
    auto at = somewhere();
    switch (random() % 4) {
      case 0:
        bytes.insert(at, 1 + random() % 8, byte);
        break;
      case 1:
        bytes.erase(at, at + static_cast<int>(random() % (bytes.end() - at + 1)) / 4);
        break;
      case 2:
        bytes.resize(static_cast<std::size_t>(at - bytes.begin()));
        break;
      default:
        if (at != bytes.end()) *at = byte;
    }
  }
  return bytes;
}

int replay(const std::filesystem::path& corpus, const std::string& name) {
  auto fuzzer = registry().find(name);
  if (fuzzer == registry().end()) {
    std::fprintf(stderr, "there is no fuzzer '%s'\n", name.c_str());
    return 1;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(corpus / name))
    files.push_back(entry.path());
  std::ranges::sort(files);
  fuzzer->second({});
  for (const auto& file : files) {
    auto bytes = read_file(file, kMaxSeedBytes);
    if (!bytes) {
      std::fprintf(stderr, "%s\n", bytes.error().describe().c_str());
      return 1;
    }
    std::printf("%s\n", file.filename().c_str());
    std::fflush(stdout);  // the last name printed is the one that crashed
    fuzzer->second(*bytes);
    std::mt19937 random(kSeed);
    for (int i = 0; i < kDamagedCopies; ++i) fuzzer->second(damaged(*bytes, random));
  }
  return files.empty() ? 1 : 0;
}

}  // namespace

Registration::Registration(const char* name, Fuzzer fuzzer) { registry()[name] = fuzzer; }

}  // namespace shoal::fuzz

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: fuzz_replay CORPUS NAME\n");
    return 2;
  }
  return shoal::fuzz::replay(argv[1], argv[2]);
}
