// The peer's uid and groups come from the kernel at accept; nothing the peer says is looked at.
#include "api/permissions.hpp"

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace shoal::api {

std::optional<std::uint32_t> find_group(const std::string& name) {
  constexpr std::size_t kMaxEntryBytes = 1 << 20;  // a group with very many members
  for (std::vector<char> buffer(4096); buffer.size() <= kMaxEntryBytes;
       buffer.resize(buffer.size() * 2)) {
    ::group entry{};
    ::group* found = nullptr;
    int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    if (found == nullptr) return std::nullopt;
    return entry.gr_gid;
  }
  return std::nullopt;
}

Permissions Permissions::of_this_process(const std::string& group_name) {
  return {::geteuid(), group_name.empty() ? std::nullopt : find_group(group_name)};
}

bool Permissions::may(const http::Peer& peer, Permission permission) const {
  if (!peer.uid) return false;
  if (permission == Permission::read) return true;
  if (*peer.uid == 0 || *peer.uid == own_uid_) return true;
  return group_ && std::find(peer.groups.begin(), peer.groups.end(), *group_) != peer.groups.end();
}

}  // namespace shoal::api
