// Every access holds the mutex, so that close() comes before or after a write and never within.
#include "agent/repository_folder.hpp"

#include "base/file.hpp"

namespace shoal::agent {

RepositoryFolder::RepositoryFolder(std::filesystem::path folder)
    : folder_(std::move(folder)), files_(folder_) {}

Result<void> RepositoryFolder::check_open() const {
  if (closed_) return fail(ErrorKind::cancelled, "the repository was removed meanwhile");
  return {};
}

Result<Bytes> RepositoryFolder::read(const std::string& name, std::uint64_t max_bytes) const {
  std::scoped_lock lock(mutex_);
  SHOAL_TRY(check_open());
  return files_.read(name, max_bytes);
}

Result<void> RepositoryFolder::write(const std::string& name, ByteView bytes) {
  std::scoped_lock lock(mutex_);
  SHOAL_TRY(check_open());
  SHOAL_TRY(make_directories(folder_));
  return files_.write(name, bytes);
}

Result<void> RepositoryFolder::remove(const std::string& name) {
  std::scoped_lock lock(mutex_);
  SHOAL_TRY(check_open());
  return files_.remove(name);
}

void RepositoryFolder::close() {
  std::scoped_lock lock(mutex_);
  closed_ = true;
}

}  // namespace shoal::agent
