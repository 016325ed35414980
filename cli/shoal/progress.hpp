// A change in one line: as a bar, as a plain line, and as the line that stays when it has ended.
// Pure; everything is sanitised.
#pragma once

#include <string>

#include "protocol/messages.hpp"

namespace shoal::cli {

// The part that is done, 0 to 1: of the bytes to fetch, or of the task that runs.
double fraction_done(const protocol::Change& change);
// "fetch", "verify", …; the state's word when nothing runs.
std::string activity(const protocol::Change& change);

// "update game 2.0  fetch  [####......]  41%  12.3 MB/s  ETA 0:42  edge 30% peers 60% reused 10%",
// no longer than `columns`.
std::string bar_line(const protocol::Change& change, std::size_t columns);
// "update game 2.0: fetch 41%, 26.2 MB of 64.0 MB, 12.3 MB/s, ETA 0:42, edge …, peers …, reused …"
std::string plain_line(const protocol::Change& change);
// Whether the line of a change that has failed says why, or an error that follows does.
enum class Cause { in_the_line, follows };
// "update game 2.0: done in 8.3 s (10.1 MB from the edge, 27.0 MB from peers, …)"
std::string final_line(const protocol::Change& change, Cause cause = Cause::in_the_line);

}  // namespace shoal::cli
