// The deltas of a release: from which versions, out of which bundles, and whether they pay.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "publish/release_builder.hpp"
#include "publish/state.hpp"
#include "publish/tree_delta.hpp"

namespace shoal::publish {

struct DeltaRequest {
  std::vector<std::string> from;  // versions, and "last:N" for the N latest
  std::uint64_t memory_bytes = delta::kDefaultMemoryBytes;
  // New bytes encoded for the delta from that version; may be empty.
  std::function<void(const std::string& from, std::uint64_t done, std::uint64_t total)> progress;
};

// What the release costs a player who has an earlier version, from the edge, compressed.
struct UpdateCost {
  std::string from;
  std::uint64_t recipes_bytes = 0;           // without a delta
  std::optional<std::uint64_t> delta_bytes;  // with the one that was made
  bool dropped = false;                      // it saves less than a third, and is not published
  std::vector<CostlyFile> files;             // of the delta, the most expensive first
};

// A delta stays only if it costs at most this part of what recipes would: it is fetched whole, and
// costs the publisher space and the client the work of decoding.
inline constexpr std::uint64_t kDeltaPaysNumerator = 2, kDeltaPaysDenominator = 3;
bool delta_pays(std::uint64_t delta_bytes, std::uint64_t recipes_bytes);

// The versions that are meant, oldest first. Errors: not_found, invalid_request.
Result<std::vector<std::string>> delta_versions(const content::ChannelList& list,
                                                const std::string& version,
                                                const std::vector<std::string>& asked);

// Makes the deltas to the one component of a release that was just built, adds those that pay to it
// and their files to its targets; the costs are of the latest versions, newest first. Reads the
// earlier versions out of the repository's bundles. Disk meanwhile: a scratch folder of at most the
// files that differ. Errors: not_found (a version without that component), verification_failed (a
// damaged bundle), disk_full, cancelled.
Result<std::vector<UpdateCost>> add_deltas(const Layout& layout, const State& state,
                                           const content::ChannelList& list,
                                           const DeltaRequest& request, const BuildOptions& options,
                                           const StopToken& stop, WorkerPool& pool,
                                           BuiltRelease& built);

}  // namespace shoal::publish
