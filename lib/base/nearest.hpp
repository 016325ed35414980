// Finds what a person meant: the known name nearest to a misspelt one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shoal {

// The candidate with the smallest edit distance, when that is small beside the name's length;
// empty otherwise. Names longer than 64 bytes are not compared.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace shoal
