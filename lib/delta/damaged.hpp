// How every reader of a delta refuses what it reads. Private to the module.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace shoal::delta {

inline std::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorKind::metadata_invalid, "the delta is damaged: " + std::string(what));
}

}  // namespace shoal::delta
