// One side of a delta while it is made: the files of a tree in memory, and what is known of them.
// Private to the encoder.
#pragma once

#include <memory>
#include <vector>

#include "base/stop_token.hpp"
#include "delta/byte_source.hpp"
#include "delta/references.hpp"

namespace shoal::delta {

struct Side {
  const std::vector<ByteView>& files;
  std::vector<MemorySource> sources;
  std::vector<std::shared_ptr<const ReferenceFinder>> finders;
  std::vector<std::uint64_t> starts;  // of each file, one after another, and the end

  // Its references are known.
  bool is_program(std::size_t file) const { return !finders[file]->layout().empty(); }
};

// The files outlive the side. Errors: cancelled.
Result<Side> look_at(const std::vector<ByteView>& files, const StopToken& stop);

}  // namespace shoal::delta
