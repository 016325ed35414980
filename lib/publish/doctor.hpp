// How a repository will fare: what expires, who can still sign it, and who can still follow it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "publish/key_store.hpp"

namespace shoal::publish {

// Clients that would be refused within this time make the doctor's verdict a bad one.
inline constexpr std::chrono::days kDoctorHorizon{30};
// Of roles that `refresh` renews by itself, less than this is left only where it no longer runs.
inline constexpr std::chrono::days kOnlineHorizon{3};

enum class Severity {
  breaks,   // clients are refused, or will be within the horizon
  warning,  // a weak setting, or something that needs a person before long
  note,
};
const char* name_of(Severity severity);

struct Diagnosis {
  Severity severity = Severity::note;
  std::string role;  // "root", a product, …; "" for the repository as a whole
  std::string message;
  std::string remedy;
};

struct DoctorRole {
  std::string role;
  std::uint64_t version = 0;
  UtcSeconds expires{};
  std::uint32_t threshold = 0;
  struct Key {
    std::string id, words;
    bool here = false;  // among the keys given
  };
  std::vector<Key> keys;
};

struct DoctorReport {
  std::vector<DoctorRole> roles;
  std::vector<Diagnosis> findings;  // the gravest first
  bool will_break() const {
    return !findings.empty() && findings.front().severity == Severity::breaks;
  }
};

// Reads only. `keys` (may be null): also tells which roles they cannot sign. Errors: not_found (no
// repository); what is broken in it is a finding.
Result<DoctorReport> diagnose(const std::filesystem::path& repository, UtcSeconds now,
                              KeyStore* keys);

}  // namespace shoal::publish
