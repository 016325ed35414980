// Who may do what over the socket. The rule, from the peer's credentials alone: everyone local may
// read; root, the daemon's own user and the members of one group may act.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "http/server.hpp"

namespace shoal::api {

enum class Permission { read, act };

class Permissions {
 public:
  Permissions(std::uint32_t own_uid, std::optional<std::uint32_t> group)
      : own_uid_(own_uid), group_(group) {}
  // Of this process's user, and the group with that name if the machine has it.
  static Permissions of_this_process(const std::string& group_name);

  // A peer whose user the kernel did not tell may do nothing.
  bool may(const http::Peer& peer, Permission permission) const;

 private:
  std::uint32_t own_uid_;
  std::optional<std::uint32_t> group_;
};

// The id of a group by name; empty when there is none.
std::optional<std::uint32_t> find_group(const std::string& name);

}  // namespace shoal::api
