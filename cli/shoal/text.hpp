// Text for people: sizes, rates, durations and tables, and what people type for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace shoal::cli {

std::string human_bytes(std::uint64_t bytes);  // decimal: "512 B", "1.5 kB", "64.0 MB", "120 GB"
std::string human_rate(std::uint64_t bytes_per_s);
std::string human_duration(std::uint64_t seconds);  // "0:42", "3:05", "2:10:05"

// "5MB/s", "500kB", "1.5MiB/s", "40Mbit", "40Mbit/s"; "0" and "none" for no limit (0). Bytes per
// second. Errors: invalid_request.
Result<std::uint64_t> parse_rate(std::string_view text);

// Columns as wide as their widest cell; the first row is the heading. Cells are sanitised.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace shoal::cli
