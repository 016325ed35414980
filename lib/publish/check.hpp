// `shoal-publish check`: everything in the repository, as a client would verify it, and every other
// file by the digest in its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/worker_pool.hpp"

namespace shoal::publish {

struct Finding {
  std::string path;     // beneath the repository, or a target's path
  std::string problem;  // in words
};

struct CheckReport {
  std::vector<Finding> findings;  // empty: all is well
  std::vector<Finding> notes;     // harmless: files that nothing names, say
  std::uint64_t metadata_files = 0;
  std::uint64_t targets = 0;
  std::uint64_t bundles = 0;
  std::uint64_t pieces = 0;
  std::uint64_t deltas = 0;
  std::uint64_t bundle_bytes = 0;
};

using CheckProgress = std::function<void(std::uint64_t bytes_done, std::uint64_t bytes_total)>;

// Changes nothing in the repository. Errors: only what keeps it from looking (not_found, io_error);
// everything that is wrong with the repository is a finding.
// With `apply_deltas` each delta is decoded too, and compared with the files that it should make.
Result<CheckReport> check_repository(const std::filesystem::path& root, UtcSeconds now,
                                     WorkerPool& pool, const CheckProgress& progress = {},
                                     bool apply_deltas = false);

}  // namespace shoal::publish
