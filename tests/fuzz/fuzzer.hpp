// One fuzzer: SHOAL_FUZZER(name) { … bytes … }, in a file fuzz_<name>.cpp with its seeds in
// corpus/<name>/. Built by clang with SHOAL_FUZZ it is a libFuzzer program of its own; otherwise
// all of them are linked into one test that feeds them their seeds (replay_main.cpp).
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/bytes.hpp"

namespace shoal::fuzz {

// A property that must hold for every input; a violation ends the program as a crash would.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

// Bytes as they may arrive, as a byte of the input says: below 128 in two parts, whose border it
// gives; otherwise in parts of that many bytes, less 127.
inline std::vector<ByteView> cut_up(ByteView bytes, std::uint8_t how) {
  if (how < 128) {
    const std::size_t border = bytes.size() * how / 128;
    return {bytes.first(border), bytes.subspan(border)};
  }
  std::vector<ByteView> parts;
  for (std::size_t length = how - 127U; !bytes.empty(); bytes = bytes.subspan(length)) {
    length = std::min(length, bytes.size());
    parts.push_back(bytes.first(length));
  }
  return parts;
}

using Fuzzer = void (*)(ByteView);
struct Registration {
  Registration(const char* name, Fuzzer fuzzer);
};

}  // namespace shoal::fuzz

#ifdef SHOAL_FUZZ
#define SHOAL_FUZZER(name)                                                            \
  static void fuzz_##name(shoal::ByteView bytes);                                     \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    fuzz_##name({data, size});                                                        \
    return 0;                                                                         \
  }                                                                                   \
  static void fuzz_##name(shoal::ByteView bytes)
#else
#define SHOAL_FUZZER(name)                                                    \
  static void fuzz_##name(shoal::ByteView bytes);                             \
  static const shoal::fuzz::Registration register_##name(#name, fuzz_##name); \
  static void fuzz_##name(shoal::ByteView bytes)
#endif
