// A target's path, percent-encoded, is the name of its file. The hash comes from the caller's
// signed metadata and is checked at every read, so the disk is not trusted.
#include "agent/target_cache.hpp"

#include "content/repository_info.hpp"
#include "trust/metadata.hpp"

namespace shoal::agent {

std::optional<Bytes> TargetCache::last(const std::string& target) const {
  auto bytes = files_.read(trust::encode_role_name(target), content::kMaxChannelsJsonBytes);
  if (!bytes) return std::nullopt;
  return std::move(*bytes);
}

std::optional<Bytes> TargetCache::find(const std::string& target, const Digest& sha256) const {
  auto bytes = last(target);
  if (!bytes || shoal::sha256(*bytes) != sha256) return std::nullopt;
  return bytes;
}

void TargetCache::keep(const std::string& target, ByteView bytes) const {
  if (bytes.size() <= content::kMaxChannelsJsonBytes)
    (void)files_.write(trust::encode_role_name(target), bytes);
}

}  // namespace shoal::agent
