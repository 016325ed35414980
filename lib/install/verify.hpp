// Verify: reads every byte of an install and reports its wounds. Repair is the same thing followed
// by a plan in which the wounded files count as not there: their good chunks are reused, their bad
// pieces fetched.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/beneath_dir.hpp"
#include "base/stop_token.hpp"
#include "base/worker_pool.hpp"
#include "install/component.hpp"

namespace shoal::install {

enum class WoundKind { missing, wrong_type, wrong_size, wrong_bytes, wrong_mode, wrong_link };

struct Wound {
  std::uint32_t component = 0;
  RelativePath path;
  WoundKind kind = WoundKind::missing;
  std::uint64_t bad_bytes = 0;  // in whole 16 KiB blocks or files, as far as it can be told
  bool expected = false;        // a config file that the user changed: reported, not damage
};

struct VerifyReport {
  std::vector<Wound> wounds;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  // The stamps to keep from now on: zero for wounded files, the present one for good files.
  std::vector<std::vector<FileStamp>> stamps;

  bool damaged() const;  // any wound that is not expected
};

// `progress` is called with bytes read so far, from any worker.
Result<VerifyReport> verify(const BeneathDir& library, const RelativePath& folder,
                            const std::vector<InstalledComponent>& installed, WorkerPool& pool,
                            const StopToken& stop,
                            const std::function<void(std::uint64_t)>& progress = {});

std::string_view name_of(WoundKind kind);

}  // namespace shoal::install
