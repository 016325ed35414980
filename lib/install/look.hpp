// Private to install: where things are in a library, and what stands there.
#pragma once

#include <optional>
#include <string>

#include "base/beneath_dir.hpp"

namespace shoal::install {

// What stands at the path itself; nothing when there is nothing, or when the way there leads
// through a link or a file (which is as good as nothing: it will never be followed).
Result<std::optional<EntryStatus>> look(const BeneathDir& library, const RelativePath& path);

// A path of our own making: the text must be valid.
RelativePath known_path(const std::string& text);

RelativePath staging_folder(const std::string& change);
RelativePath staging_folder(const std::string& change, const std::string& component);
RelativePath saved_folder(const std::string& change);
RelativePath kept_folder();  // of deltas, after their commits

}  // namespace shoal::install
