// Text of others, made harmless for a terminal.
#pragma once

#include <string>
#include <string_view>

namespace shoal::cli {

// Without anything that a terminal would act on or that could mislead a reader: control characters,
// malformed UTF-8 and marks that reverse the direction of text become '?'. Everything that comes
// from the daemon, and every error about a file that somebody sent, goes through this before it is
// printed.
std::string sanitised(std::string_view text);

}  // namespace shoal::cli
