// One fuzzer: SHOAL_FUZZER(name) { … bytes … }, in a file fuzz_<name>.cpp with its seeds in
// corpus/<name>/. Built by clang with SHOAL_FUZZ it is a libFuzzer program of its own; otherwise
// all of them are linked into one test that feeds them their seeds (replay_main.cpp).
#pragma once

#include <cstdio>
#include <cstdlib>

#include "base/bytes.hpp"

namespace shoal::fuzz {

// A property that must hold for every input; a violation ends the program as a crash would.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
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
