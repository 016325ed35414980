// A small file that comes to be whole, under a name that nothing had: keys, which nobody could make
// again if another program wrote over them.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::publish {

// How the finished file gets its name. Each is tried where the file system does not know the one
// before; tests begin with a later one.
enum class NamingWay {
  link,    // a second name, which fails where there is one; FAT knows no links
  rename,  // RENAME_NOREPLACE; NFS does not know it
  claim,   // an empty file first, which stays when the program is killed at this moment
};

// Errors: conflict (the name is taken), io_error, not_allowed, …
Result<void> write_new_file(const std::filesystem::path& path, ByteView bytes, ::mode_t mode,
                            NamingWay first = NamingWay::link);

}  // namespace shoal::publish
