// One side of a delta while it is made: the files of a tree in memory, and what is known of them.
// Private to the encoder.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/stop_token.hpp"
#include "delta/byte_source.hpp"
#include "delta/members.hpp"
#include "delta/prediction.hpp"
#include "delta/references.hpp"

namespace shoal {
class WorkerPool;
}
namespace shoal::delta {

// A compressed member that is matched by what it holds.
struct OpenedMember {
  std::size_t file = 0;
  Member member;
  Bytes plain;
  Packing packing;  // that makes the member of it again; of new ones only
};

// A stretch of a file.
struct Unit {
  std::size_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct Side {
  // The tree's files, and behind them, as if they were files too, what its opened members hold.
  std::vector<ByteView> files;
  std::deque<MemorySource> sources;
  std::vector<std::shared_ptr<const ReferenceFinder>> finders;
  std::vector<std::uint64_t> starts;  // of each file, one after another, and the end
  std::size_t tree_files = 0;
  std::deque<OpenedMember> members;  // by file and offset; files[tree_files + i] is of members[i]

  // Its references are known.
  bool is_program(std::size_t file) const { return !finders[file]->layout().empty(); }
  // What is left of a file beside its opened members, in order.
  std::vector<Unit> closed_stretches(std::size_t file) const;

  // In order of file and offset. Errors: the sources'.
  Result<void> open(OpenedMember member);
};

// The files outlive the side. Errors: cancelled.
Result<Side> look_at(const std::vector<ByteView>& files, WorkerPool* workers,
                     const StopToken& stop);

}  // namespace shoal::delta
