// A target's path, percent-encoded, is the name of its file. The hash comes from the caller's
// signed metadata and is checked at every read, so the disk is not trusted.
#include "agent/target_cache.hpp"

#include "base/file.hpp"
#include "content/repository_info.hpp"
#include "trust/metadata.hpp"

namespace shoal::agent {

std::filesystem::path TargetCache::file_of(const std::string& target) const {
  return folder_ / trust::encode_role_name(target);
}

std::optional<Bytes> TargetCache::last(const std::string& target) const {
  auto bytes = read_file(file_of(target), content::kMaxChannelsJsonBytes);
  if (!bytes) return std::nullopt;
  return std::move(*bytes);
}

std::optional<Bytes> TargetCache::find(const std::string& target, const Digest& sha256) const {
  auto bytes = last(target);
  if (!bytes || shoal::sha256(*bytes) != sha256) return std::nullopt;
  return bytes;
}

void TargetCache::keep(const std::string& target, ByteView bytes) const {
  if (bytes.size() > content::kMaxChannelsJsonBytes || !make_directories(folder_)) return;
  (void)write_file_atomic(file_of(target), bytes);
}

}  // namespace shoal::agent
