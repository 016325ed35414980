// Each file is kept, atomically, right after it was accepted, so that a client killed anywhere goes
// on from what it had; what is refused never reaches the disk. The one change that touches several
// files, a rotation of keys, is announced by a note first and finished by whoever comes next.
#include "trust/update_cycle.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace shoal::trust {
namespace {

// The note of a rotation: the version of the root that brings it. No role's file has this name, for
// those end with ".json".
constexpr const char* kRotationNote = "rotation";
// When newer roots were last asked for, in seconds since 1970.
constexpr const char* kRootsNote = "roots-asked";
constexpr std::uint64_t kMaxNoteBytes = 32;

constexpr const char* kTellPublisher = "Tell the publisher.";
constexpr const char* kAddAgain = "Add the repository again, with its root.json.";

std::string file_of(std::string_view role) { return encode_role_name(role) + ".json"; }

// Whether nothing is kept under a name, or nothing that we wrote, by why it could not be read.
bool is_no_metadata(ErrorKind kind) {
  return kind == ErrorKind::not_found || kind == ErrorKind::too_large ||
         kind == ErrorKind::unsupported_file_type;
}

Error cannot_be_read(Error error) {
  error.remedy =
      "Try again. If it stays so, the disk may be failing; once that file is deleted, it is "
      "fetched "
      "again.";
  return error;
}

template <typename Number>
Number read_number(ByteView note, Number otherwise) {
  auto text = as_text(note);
  Number value = otherwise;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

Result<Bytes> must_be_there(const std::string& path, Result<Bytes> bytes) {
  if (!bytes && bytes.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::source_unavailable,
                fmt::format("fetch {}: {}", path, bytes.error().message),
                "Try again later; if it stays so, tell the publisher.");
  return bytes;
}

}  // namespace

UpdateCycle::UpdateCycle(MetadataStore& store, std::string metadata_prefix, Fetcher& fetcher,
                         UtcSeconds now, const Limits& limits)
    : store_(store),
      metadata_prefix_(std::move(metadata_prefix)),
      now_(now),
      limits_(limits),
      mirrors_(fetcher, limits) {}

Result<Bytes> UpdateCycle::fetch(const std::string& path, std::uint64_t max_bytes,
                                 const Mirrors::Accept& accept) {
  return must_be_there(path, mirrors_.fetch(path, max_bytes, accept));
}

// The signed length bounds the read, and our own limit bounds what may be signed.
Result<std::uint64_t> UpdateCycle::bound(const FileMeta& meta, std::uint64_t limit,
                                         const std::string& role) const {
  if (meta.length && *meta.length > limit)
    return fail(ErrorKind::too_large,
                fmt::format("{} metadata version {} would have {} bytes, more than the {} allowed",
                            role, meta.version, *meta.length, limit),
                kTellPublisher);
  return meta.length.value_or(limit);
}

std::string UpdateCycle::metadata_path(const std::string& role, std::uint64_t version) const {
  // 5.3.12: with consistent snapshots each name begins with the version.
  if (!trusted_->root().consistent_snapshot) return metadata_prefix_ + file_of(role);
  return fmt::format("{}{}.{}", metadata_prefix_, version, file_of(role));
}

Result<void> UpdateCycle::load_root() {
  // 5.2: the trusted root, from the last cycle or shipped. It may have expired.
  auto bytes = store_.read(file_of("root"), limits_.root_bytes);
  if (!bytes && is_no_metadata(bytes.error().kind))
    return fail(bytes.error().kind, bytes.error().message, kAddAgain);
  if (!bytes) return fail(std::move(bytes.error()));
  return trust_kept_root(*bytes);
}

Result<void> UpdateCycle::trust_kept_root(ByteView root) {
  auto trusted = TrustedMetadata::begin(root, now_, limits_);
  if (!trusted)
    return fail(trusted.error().kind, "the kept root cannot be used: " + trusted.error().message,
                kAddAgain);
  trusted_ = std::move(*trusted);
  return finish_rotation();
}

// Goes on where a client was killed between two steps of keep_root().
Result<void> UpdateCycle::finish_rotation() {
  auto note = store_.read(kRotationNote, kMaxNoteBytes);
  if (!note && note.error().kind == ErrorKind::not_found) return {};
  if (!note && !is_no_metadata(note.error().kind)) return fail(cannot_be_read(note.error()));
  // One that was damaged counts as one of a root that is kept.
  const auto version = note ? read_number<std::uint64_t>(*note, 0) : 0;
  noted_rotation_ = version;
  // Of a root that is still to come: what the kept one trusts goes on to bind.
  if (version > trusted_->root().version) return {};
  SHOAL_TRY(store_.remove(file_of("timestamp")));
  SHOAL_TRY(store_.remove(file_of("snapshot")));
  return store_.remove(kRotationNote);
}

Result<void> UpdateCycle::keep_root(ByteView bytes, bool rotated) {
  const std::uint64_t version = trusted_->root().version;
  if (rotated && noted_rotation_ != version) {
    SHOAL_TRY(store_.write(kRotationNote, as_bytes(std::to_string(version))));
  } else if (!rotated && noted_rotation_ == version) {
    // Two roots of one version, of which this is the other: it drops nothing.
    SHOAL_TRY(store_.remove(kRotationNote));
  }
  // 5.3.8: kept at once, root by root.
  SHOAL_TRY(store_.write(file_of("root"), bytes));
  // 5.3.11: rotated keys drop what they signed, to recover from a fast-forward attack. Only once
  // the root is kept: with the old one, a client killed here could be rolled back.
  return rotated ? finish_rotation() : Result<void>();
}

Result<void> UpdateCycle::update_roots() {
  for (std::uint32_t count = 0;; ++count) {  // 5.3.9
    // 5.3.2, 5.3.3: the next version, within limits; when it is not there, this is the newest.
    auto path = fmt::format("{}{}.root.json", metadata_prefix_, trusted_->root().version + 1);
    bool rotated = false;
    std::optional<Error> wrong;  // with a root that is there, by the keys of the one before
    auto accept = [&](ByteView bytes) -> Result<void> {
      auto updated = trusted_->update_root(bytes);
      if (updated) {
        rotated = *updated;
        return {};
      }
      if (trusted_->is_next_root(bytes)) wrong = updated.error();
      return fail(std::move(updated.error()));
    };
    auto bytes = mirrors_.fetch_if_there(path, limits_.root_bytes, accept);
    if (!bytes && wrong) return fail(std::move(*wrong));
    if (!bytes && bytes.error().kind == ErrorKind::not_found) break;
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    // Stricter than 5.3.3, which goes on with a root that is not the newest: what is newer may
    // revoke its keys.
    if (count == limits_.roots_per_update)
      return fail(ErrorKind::too_large,
                  fmt::format("root version {} is one more than the {} new ones allowed at once",
                              trusted_->root().version, limits_.roots_per_update),
                  "Try again: it goes on from here.");
    SHOAL_TRY(keep_root(*bytes, rotated));
  }
  // 5.3.10: freeze attack.
  return trusted_->finish_root();
}

Result<void> UpdateCycle::update_timestamp(std::optional<Bytes> fetched) {
  // What is no timestamp, or of none of the role's keys, does not bind the new one.
  SHOAL_ASSIGN(auto kept, read_if_kept(file_of("timestamp"), limits_.timestamp_bytes));
  if (kept) static_cast<void>(trusted_->remember_timestamp(*kept));
  auto freshness = Freshness::same;
  auto accept = [&](ByteView bytes) -> Result<void> {
    SHOAL_ASSIGN(freshness, trusted_->update_timestamp(bytes));
    return {};
  };
  // What is claimed, for the order in which signatures are looked at.
  auto version = [&](ByteView bytes) -> std::uint64_t {
    auto timestamp = parse_timestamp(bytes, limits_);
    return timestamp ? timestamp->body.version : 0;
  };
  if (!fetched || !accept(*fetched)) {
    // 5.4.1
    auto path = metadata_prefix_ + "timestamp.json";
    auto newest = mirrors_.fetch_newest(path, limits_.timestamp_bytes, version, accept);
    SHOAL_ASSIGN(fetched, must_be_there(path, std::move(newest)));
  }
  // 5.4.5
  if (freshness == Freshness::replaced) SHOAL_TRY(store_.write(file_of("timestamp"), *fetched));
  return {};
}

Result<void> UpdateCycle::update_snapshot() {
  SHOAL_ASSIGN(auto kept, read_if_kept(file_of("snapshot"), limits_.snapshot_bytes));
  if (kept) {
    auto current = trusted_->remember_snapshot(*kept);
    if (current && *current) return {};
  }
  // 5.5.1
  const FileMeta& meta = trusted_->timestamp()->snapshot;
  SHOAL_ASSIGN(auto max_bytes, bound(meta, limits_.snapshot_bytes, "snapshot"));
  SHOAL_ASSIGN(auto bytes,
               fetch(metadata_path("snapshot", meta.version), max_bytes,
                     [&](ByteView candidate) { return trusted_->update_snapshot(candidate); }));
  // 5.5.7
  return store_.write(file_of("snapshot"), bytes);
}

Result<const Targets*> UpdateCycle::load_targets(const DelegationSearch::Step& step) {
  if (const auto* loaded = trusted_->targets(step.chain())) return loaded;
  auto kept = store_.read(file_of(step.role), limits_.targets_bytes);
  if (!kept || !trusted_->update_targets(*kept, step)) {
    // 5.6.1
    const auto& listed = trusted_->snapshot()->meta;
    auto meta = listed.find(step.role);
    if (meta == listed.end())
      return fail(ErrorKind::metadata_invalid,
                  fmt::format("snapshot version {} does not list the role '{}'",
                              trusted_->snapshot()->version, step.role));
    SHOAL_ASSIGN(auto max_bytes, bound(meta->second, limits_.targets_bytes, step.role));
    SHOAL_ASSIGN(auto bytes,
                 fetch(metadata_path(step.role, meta->second.version), max_bytes,
                       [&](ByteView bytes) { return trusted_->update_targets(bytes, step); }));
    // 5.6.6
    SHOAL_TRY(store_.write(file_of(step.role), bytes));
  }
  return trusted_->targets(step.chain());
}

Result<void> UpdateCycle::update(std::optional<Bytes> timestamp) {
  refreshed_ = false;
  unchanged_.reset();
  SHOAL_TRY(load_root());
  SHOAL_TRY(update_roots());
  SHOAL_TRY(update_timestamp(std::move(timestamp)));
  SHOAL_TRY(update_snapshot());
  SHOAL_TRY(load_targets({"targets", ""}));
  note_roots();
  refreshed_ = true;
  return {};
}

Result<void> UpdateCycle::refresh() { return update(std::nullopt); }

// One digest for four files: of their digests, so that no byte can pass from one to the next.
Digest UpdateCycle::Kept::digest() const {
  Sha256 all;
  for (const auto* file : {&root, &timestamp, &snapshot, &targets}) all.update(sha256(*file).bytes);
  return all.finish();
}

Result<std::optional<Bytes>> UpdateCycle::read_if_kept(const std::string& name,
                                                       std::uint64_t max_bytes) const {
  auto bytes = store_.read(name, max_bytes);
  if (bytes) return std::optional(*std::move(bytes));
  if (is_no_metadata(bytes.error().kind)) return std::nullopt;
  return fail(cannot_be_read(std::move(bytes.error())));
}

// Without the note, on a full disk, say, they are asked for again in the next cycle.
void UpdateCycle::note_roots() {
  const auto note = std::to_string(now_.time_since_epoch().count());
  auto kept = store_.read(kRootsNote, kMaxNoteBytes);
  if (!kept || as_text(*kept) != note) static_cast<void>(store_.write(kRootsNote, as_bytes(note)));
}

// Whether newer roots have not been asked for since a day, or since a time that is not known.
bool UpdateCycle::roots_are_due() const {
  const auto note = store_.read(kRootsNote, kMaxNoteBytes);
  if (!note) return true;
  const auto asked = read_number<std::int64_t>(*note, -1);
  const std::int64_t now = now_.time_since_epoch().count();
  return asked < 0 || asked > now || now - asked >= limits_.roots_asked_seconds;
}

std::optional<UpdateCycle::Kept> UpdateCycle::read_kept() const {
  auto root = store_.read(file_of("root"), limits_.root_bytes);
  auto timestamp = store_.read(file_of("timestamp"), limits_.timestamp_bytes);
  auto snapshot = store_.read(file_of("snapshot"), limits_.snapshot_bytes);
  auto targets = store_.read(file_of("targets"), limits_.targets_bytes);
  if (!root || !timestamp || !snapshot || !targets) return std::nullopt;
  return Kept{*std::move(root), *std::move(timestamp), *std::move(snapshot), *std::move(targets)};
}

// Whether what is kept is whole, and as a cycle that finds nothing new would leave it. A verdict on
// these bytes alone: `now` is compared with the four dates and with nothing else.
bool UpdateCycle::use_kept(const Kept& kept) {
  return trust_kept_root(kept.root) && trusted_->finish_root() &&
         trusted_->update_timestamp(kept.timestamp) && trusted_->update_snapshot(kept.snapshot) &&
         trusted_->update_targets(kept.targets, {"targets", ""});
}

Result<bool> UpdateCycle::refresh_if_changed(Seen& seen) {
  refreshed_ = false;
  unchanged_.reset();
  auto timestamp = store_.read(file_of("timestamp"), limits_.timestamp_bytes);
  // A whole cycle asks every mirror for its timestamp: the first one's may be an old one.
  if (!timestamp || roots_are_due()) {
    SHOAL_TRY(refresh());
    return true;
  }
  auto served = mirrors_.fetch(metadata_prefix_ + "timestamp.json", limits_.timestamp_bytes,
                               [](ByteView) { return Result<void>(); });
  auto kept = read_kept();
  if (served && kept && std::ranges::equal(*served, kept->timestamp)) {
    const auto digest = kept->digest();
    if (digest == seen.kept && now_ < seen.good_until) {
      unchanged_ = digest;
      return false;
    }
    if (use_kept(*kept)) {
      seen = {digest,
              std::min({trusted_->root().expires, trusted_->timestamp()->expires,
                        trusted_->snapshot()->expires, trusted_->targets("targets")->expires})};
      refreshed_ = true;
      return false;
    }
  }
  SHOAL_TRY(update(served ? std::optional(std::move(*served)) : std::nullopt));
  return true;
}

Result<void> UpdateCycle::ready() {
  if (refreshed_) return {};
  // The very bytes that were found unchanged, or else a whole cycle.
  if (auto expected = std::exchange(unchanged_, std::nullopt)) {
    auto kept = read_kept();
    refreshed_ = kept && kept->digest() == *expected && use_kept(*kept);
  }
  return refreshed_ ? Result<void>() : refresh();
}

}  // namespace shoal::trust
