// A slot is a reference whose deleter counts down; users without slots take no memory.
#include "api/user_limit.hpp"

namespace shoal::api {

UserLimit::Slot UserLimit::take(std::uint32_t uid) {
  std::size_t& held = counts_->by_user[uid];
  if (held >= most_) return nullptr;
  ++held;
  return {counts_.get(), [counts = counts_, uid](void*) {
            auto entry = counts->by_user.find(uid);
            if (--entry->second == 0) counts->by_user.erase(entry);
          }};
}

}  // namespace shoal::api
