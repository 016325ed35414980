// Follows changes to their ends: by events, or by asking again and again where the event stream is
// refused.
#pragma once

#include <functional>
#include <vector>

#include "cli/shoal/display.hpp"
#include "client/client.hpp"
#include "protocol/events.hpp"

namespace shoal::cli {

// The changes as they ended, in the order given, each with all its notes. Errors: cancelled when
// the wake descriptor became readable (the changes go on in the daemon); daemon_unreachable.
Result<std::vector<protocol::Change>> follow(const client::ClientOptions& options,
                                             const std::vector<protocol::Change>& started,
                                             Display& display);

// Shows every change and passes on every event, until the wake descriptor becomes readable
// (`cancelled`) or the daemon goes away.
Error watch(const client::ClientOptions& options, Display& display,
            const std::function<void(const protocol::Event&)>& on_event);

}  // namespace shoal::cli
