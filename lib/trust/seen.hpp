// What a process verified last of what it keeps, so that it need not do so again when it asks for
// news and there is none.
#pragma once

#include "base/clock.hpp"
#include "base/sha256.hpp"

namespace shoal::trust {

// Of one store, with one set of limits. Never on a disk, where it would outlive the rules of the
// program that made the verdict, and could be forged; nobody makes one but Updater. The verdict
// depends on the bytes and on dates alone, so that the same bytes before `good_until` would get it
// again.
struct Seen {
  Digest kept;              // over root, timestamp, snapshot and targets, byte for byte
  UtcSeconds good_until{};  // the earliest of their dates
};

}  // namespace shoal::trust
