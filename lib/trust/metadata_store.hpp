// Where the trusted metadata is kept between update cycles: the updater's disk, behind an interface
// so that tests can make it fail at any step.
#pragma once

#include <filesystem>
#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace shoal::trust {

class MetadataStore {
 public:
  virtual ~MetadataStore() = default;
  // Names are safe file names. Errors: not_found, too_large, those of files.
  virtual Result<Bytes> read(const std::string& name, std::uint64_t max_bytes) const = 0;
  // The old content or the new one, whenever the machine stops.
  virtual Result<void> write(const std::string& name, ByteView bytes) = 0;
  // Removing what is not there is no error.
  virtual Result<void> remove(const std::string& name) = 0;
};

// Files of one folder, which must exist.
class DirectoryStore final : public MetadataStore {
 public:
  explicit DirectoryStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  Result<Bytes> read(const std::string& name, std::uint64_t max_bytes) const override;
  Result<void> write(const std::string& name, ByteView bytes) override;
  Result<void> remove(const std::string& name) override;

 private:
  std::filesystem::path directory_;
};

}  // namespace shoal::trust
