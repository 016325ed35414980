// Which installs' artifacts are in the swarm when no change is at work on them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/artifact.hpp"
#include "agent/install_record.hpp"
#include "agent/kept_deltas.hpp"

namespace shoal::agent {

// Main thread only.
class Seeding {
 public:
  // `dht`: whether this machine allows it, beside the publisher.
  Seeding(const Context& context, bool dht, std::chrono::hours keep_deltas)
      : context_(context), dht_(dht), keep_deltas_(keep_deltas) {}

  // Takes over artifacts that a change has completed.
  void adopt(std::int64_t install, std::vector<std::shared_ptr<Artifact>> artifacts,
             transfer::Consent consent);
  // Makes them from the record of an install, as a job; files that changed are not offered. The
  // library must outlive this object.
  void start(const store::InstallRow& row, const BeneathDir& library, transfer::Consent consent);
  // The deltas that it was updated by, if they are kept: beside the content, once that is adopted
  // or started.
  void start_deltas(const store::InstallRow& row, const BeneathDir& library);
  // Removes those that are not worth keeping any more (delta_retention.hpp).
  void review_deltas();
  // Their room is needed: they leave the swarm, and the caller removes their files.
  void give_up_deltas(const BeneathDir& library);
  void stop(std::int64_t install);
  void stop_all();
  void set_consent(transfer::Consent consent);

  struct Totals {
    bool seeding = false;  // offered to peers now
    std::uint64_t uploaded_bytes = 0;
    std::uint32_t peers = 0;
    std::uint64_t kept_delta_bytes = 0;
  };
  Totals totals(std::int64_t install) const;

 private:
  struct Deltas {
    std::string product;
    const BeneathDir* library;
    KeptDeltas kept;
  };
  void stop(std::int64_t install, const std::vector<std::shared_ptr<Artifact>>& artifacts);
  void stop_deltas(std::int64_t install);
  void drop_deltas(std::int64_t install);
  bool is_worth_keeping(const KeptDeltas& kept) const;
  void discard_kept(const BeneathDir& library, const std::string& product,
                    const std::string& version);

  const Context& context_;
  const bool dht_;
  const std::chrono::hours keep_deltas_;
  transfer::Consent consent_ = transfer::Consent::denied;
  std::map<std::int64_t, std::vector<std::shared_ptr<Artifact>>> by_install_;
  std::map<std::int64_t, Deltas> deltas_;
  std::uint64_t given_up_ = 0;  // how often: what was loaded meanwhile may be gone
  // Counts starts and stops of an install: a job that ends after a later one is out of date.
  std::map<std::int64_t, std::uint64_t> generation_;
  std::map<std::int64_t, std::uint64_t> uploaded_before_;
};

}  // namespace shoal::agent
