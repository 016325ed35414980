// For tests that write many repositories.
#pragma once

#include <filesystem>
#include <fstream>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::publish {

// Atomic, but without waiting for the disk: these tests are not about power failures.
inline Result<void> write_quickly(const std::filesystem::path& path, ByteView bytes) {
  std::filesystem::path temporary = path;
  temporary += ".tmp.1";
  std::ofstream(temporary, std::ios::binary) << as_text(bytes);
  std::filesystem::rename(temporary, path);
  return {};
}

}  // namespace shoal::publish
