// Every access holds the mutex, so that close() comes before or after a write and never within.
#include "agent/metadata_folder.hpp"

namespace shoal::agent {

MetadataFolder::MetadataFolder(std::filesystem::path folder) : files_(std::move(folder)) {}

Result<void> MetadataFolder::check_open() const {
  if (closed_) return fail(ErrorKind::cancelled, "the repository was removed meanwhile");
  return {};
}

Result<Bytes> MetadataFolder::read(const std::string& name, std::uint64_t max_bytes) const {
  std::scoped_lock lock(mutex_);
  SHOAL_TRY(check_open());
  return files_.read(name, max_bytes);
}

Result<void> MetadataFolder::write(const std::string& name, ByteView bytes) {
  std::scoped_lock lock(mutex_);
  SHOAL_TRY(check_open());
  return files_.write(name, bytes);
}

Result<void> MetadataFolder::remove(const std::string& name) {
  std::scoped_lock lock(mutex_);
  SHOAL_TRY(check_open());
  return files_.remove(name);
}

void MetadataFolder::close() {
  std::scoped_lock lock(mutex_);
  closed_ = true;
}

}  // namespace shoal::agent
