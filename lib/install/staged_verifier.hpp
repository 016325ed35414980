// Verifying while fetching: each staged file is hashed as soon as its last piece is there, while
// other files still wait for theirs, so that little is left for verify_staged() at the end.
#pragma once

#include <memory>

#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "install/stage.hpp"

namespace shoal::install {

// Staged, not yet known to be right, and meant to stay.
bool awaits_verification(const Plan& plan, const Staging& staging, std::uint32_t component,
                         FileIndex file);

// From the moment a file's hashing begins no write reaches it. A file that proves right is marked
// complete with its stamp, as verify_staged() does it, and is written no more. Of one that does
// not, nothing is reported and writes are allowed again: verify_staged() will look at it once more
// and name the pieces to fetch.
//
// One thread owns it; the hashing is done on the pool, a few ranges at a time, so that pieces which
// the pool decodes meanwhile wait for no large file.
class StagedVerifier {
 public:
  // `library` must outlive what runs on the pool. Begins with the files that staging completed.
  StagedVerifier(const BeneathDir& library, const Plan& plan, const Staging& staging,
                 WorkerPool& pool, const StopToken& stop);
  // Begins no further file, and does not wait.
  ~StagedVerifier();
  StagedVerifier(const StagedVerifier&) = delete;
  StagedVerifier& operator=(const StagedVerifier&) = delete;

  // This piece is in the component's image now, and its hash is right.
  void piece_stored(std::uint32_t component, PieceIndex piece);

  // Begins no further range, and returns once none is being hashed: what is left is for
  // verify_staged(). Any thread but the pool's; pieces stored later are ignored.
  void finish();

 private:
  struct Work;
  struct Component {
    transfer::PieceSet have;
    std::vector<std::uint32_t> missing;  // pieces of each file that are not there
  };
  std::vector<Component> components_;
  std::shared_ptr<Work> work_;  // with the tasks on the pool
};

}  // namespace shoal::install
