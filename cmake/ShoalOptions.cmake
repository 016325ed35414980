# Compiler settings that every target of ours shares, as one interface target `shoal_options`.
add_library(shoal_options INTERFACE)
target_compile_options(shoal_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough)
target_include_directories(shoal_options INTERFACE ${CMAKE_SOURCE_DIR}/lib)
target_compile_definitions(shoal_options INTERFACE SPDLOG_FMT_EXTERNAL=1)

if(SHOAL_SANITIZE STREQUAL thread)
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(SHOAL_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(SHOAL_FUZZ)  # coverage for libFuzzer in all of our code; its main only in the fuzzers
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
