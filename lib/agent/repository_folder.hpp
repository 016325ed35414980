// A folder with files of one repository, its trusted metadata or its targets, until the repository
// is removed: a cycle that is still running then must not bring the folder back.
#pragma once

#include <mutex>

#include "trust/metadata_store.hpp"

namespace shoal::agent {

class RepositoryFolder final : public trust::MetadataStore {
 public:
  explicit RepositoryFolder(std::filesystem::path folder);

  Result<Bytes> read(const std::string& name, std::uint64_t max_bytes) const override;
  // Makes the folder. Besides the interface's errors: cancelled after close().
  Result<void> write(const std::string& name, ByteView bytes) override;
  Result<void> remove(const std::string& name) override;
  // From any thread; waits for a write that is under way. Nothing is written after it.
  void close();

 private:
  Result<void> check_open() const;

  std::filesystem::path folder_;
  trust::DirectoryStore files_;
  mutable std::mutex mutex_;
  bool closed_ = false;
};

}  // namespace shoal::agent
