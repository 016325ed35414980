// One file for each name, replaced by renaming, so that a reader finds the old bytes or the new.
#include "trust/metadata_store.hpp"

#include "base/file.hpp"

namespace shoal::trust {

Result<Bytes> DirectoryStore::read(const std::string& name, std::uint64_t max_bytes) const {
  return read_file(directory_ / name, max_bytes);
}

Result<void> DirectoryStore::write(const std::string& name, ByteView bytes) {
  return write_file_atomic(directory_ / name, bytes);
}

Result<void> DirectoryStore::remove(const std::string& name) {
  std::error_code error;
  const bool removed = std::filesystem::remove(directory_ / name, error);
  if (error) return fail(system_error(error.value(), "remove", (directory_ / name).native()));
  // In the order of the calls, also for a power cut: a note that announces what is to be removed
  // must not go before it.
  return removed ? sync_folder(directory_) : Result<void>();
}

}  // namespace shoal::trust
