// The one way to Asio: Boost 1.74 needs <utility> before it in C++20 and later. In .cpp files only.
#pragma once

// clang-format off
#include <utility>

#include <boost/asio.hpp>
// clang-format on
