// One update cycle of one repository (TUF 5.1 to 5.6.6): fetch, let the verifier judge, keep.
// Private to the module; Updater is its face.
#pragma once

#include <optional>
#include <string>

#include "trust/metadata_store.hpp"
#include "trust/mirrors.hpp"
#include "trust/seen.hpp"
#include "trust/verifier.hpp"

namespace shoal::trust {

class UpdateCycle {
 public:
  // 5.1: `now` stays the same for the whole cycle. Store and fetcher must outlive this.
  UpdateCycle(MetadataStore& store, std::string metadata_prefix, Fetcher& fetcher, UtcSeconds now,
              const Limits& limits);

  // See Updater.
  Result<void> refresh();
  Result<bool> refresh_if_changed(Seen& seen);
  // Loads and verifies what refresh_if_changed() found unchanged; refreshes when nothing did yet.
  Result<void> ready();

  // Loads one role (kept or fetched) unless it is loaded; after ready().
  Result<const Targets*> load_targets(const DelegationSearch::Step& step);

  // Mirrors::fetch; but a file that is nowhere is the repository's fault: source_unavailable.
  Result<Bytes> fetch(const std::string& path, std::uint64_t max_bytes,
                      const Mirrors::Accept& accept);
  // Index of the mirror whose bytes were accepted last.
  std::uint32_t first_mirror() const { return mirrors_.accepted(); }

  const TrustedMetadata* trusted() const { return trusted_ ? &*trusted_ : nullptr; }
  const Limits& limits() const { return limits_; }

 private:
  // What is kept of the top-level roles, as it was read.
  struct Kept {
    Bytes root, timestamp, snapshot, targets;
    Digest digest() const;
  };
  std::optional<Kept> read_kept() const;
  bool use_kept(const Kept& kept);
  Result<void> load_root();
  Result<void> trust_kept_root(ByteView root);
  Result<void> update_roots();
  Result<void> keep_root(ByteView bytes, bool rotated);
  Result<void> finish_rotation();
  Result<void> update_timestamp(std::optional<Bytes> fetched);
  Result<void> update_snapshot();
  Result<void> update(std::optional<Bytes> timestamp);
  // What is kept under that name; nothing when there is none, or none of such a size. Errors: those
  // of files. What cannot be read now may be good: going on without it could take the client back.
  Result<std::optional<Bytes>> read_if_kept(const std::string& name, std::uint64_t max_bytes) const;
  bool roots_are_due() const;
  void note_roots();  // that they were asked for now
  Result<std::uint64_t> bound(const FileMeta& meta, std::uint64_t limit,
                              const std::string& role) const;
  std::string metadata_path(const std::string& role, std::uint64_t version) const;

  MetadataStore& store_;
  std::string metadata_prefix_;
  UtcSeconds now_;
  Limits limits_;
  Mirrors mirrors_;
  std::optional<TrustedMetadata> trusted_;
  std::uint64_t noted_rotation_ = 0;  // the root version in the note that is kept
  bool refreshed_ = false;
  std::optional<Digest> unchanged_;  // of what is kept, seen before and not loaded
};

}  // namespace shoal::trust
