// Which installs' artifacts are in the swarm when no change is at work on them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/artifact.hpp"
#include "agent/install_record.hpp"

namespace shoal::agent {

// Main thread only.
class Seeding {
 public:
  // `dht`: whether this machine allows it, beside the publisher.
  Seeding(const Context& context, bool dht) : context_(context), dht_(dht) {}

  // Takes over artifacts that a change has completed.
  void adopt(std::int64_t install, std::vector<std::shared_ptr<Artifact>> artifacts,
             transfer::Consent consent);
  // Makes them from the record of an install, as a job; files that changed are not offered. The
  // library must outlive this object.
  void start(const store::InstallRow& row, const BeneathDir& library, transfer::Consent consent);
  void stop(std::int64_t install);
  void stop_all();
  void set_consent(transfer::Consent consent);

  struct Totals {
    bool seeding = false;  // offered to peers now
    std::uint64_t uploaded_bytes = 0;
    std::uint32_t peers = 0;
  };
  Totals totals(std::int64_t install) const;

 private:
  const Context& context_;
  const bool dht_;
  transfer::Consent consent_ = transfer::Consent::denied;
  std::map<std::int64_t, std::vector<std::shared_ptr<Artifact>>> by_install_;
  // Counts starts and stops of an install: a job that ends after a later one is out of date.
  std::map<std::int64_t, std::uint64_t> generation_;
  std::map<std::int64_t, std::uint64_t> uploaded_before_;
};

}  // namespace shoal::agent
