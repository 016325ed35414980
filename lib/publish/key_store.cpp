// The folders are read once, by the public part of each file; a secret is opened when it is to
// sign. Passphrases that were given are tried before another one is asked for.
#include "publish/key_store.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/file.hpp"
#include "publish/new_file.hpp"

namespace shoal::publish {
namespace {

namespace fs = std::filesystem;
constexpr ::mode_t kPrivateFolder = 0700, kPrivateFile = 0600, kPublicFile = 0644;

std::string file_name_of(KeyRole role) { return fmt::format("{}{}", name_of(role), kKeySuffix); }

std::unexpected<Error> is_taken(const fs::path& path) {
  return fail(ErrorKind::conflict, fmt::format("{} is there already", path.native()),
              "Choose another name: a key that is overwritten is lost.");
}

fs::path public_file_of(fs::path file) { return file += ".pub"; }

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

// The secret first: a public half alone could be given to others, and nobody could sign.
Result<void> write_both(const fs::path& file, ByteView secret, const trust::PublicKey& key) {
  SHOAL_TRY(write_new_file(file, secret, kPrivateFile));
  auto written =
      write_new_file(public_file_of(file), trust::format_public_key_file(key), kPublicFile);
  if (written) return {};
  std::error_code ignored;
  fs::remove(file, ignored);
  return written;
}

Result<Bytes> read_key_file(const fs::path& path) {
  return read_file(path, trust::kMaxKeyFileBytes);
}

std::unexpected<Error> in_file(Error error, const fs::path& path) {
  error.message = fmt::format("{}: {}", path.native(), error.message);
  return std::unexpected(std::move(error));
}

// For a key that has none: of an earlier version, or of a run that was killed. The folder may be
// one that cannot be written to, and the key is as good without.
void add_public_half(const fs::path& file) {
  if (is_there(public_file_of(file))) return;
  if (auto key = read_public_key(file))
    static_cast<void>(
        write_new_file(public_file_of(file), trust::format_public_key_file(*key), kPublicFile));
}

}  // namespace

const char* name_of(KeyRole role) {
  switch (role) {
    case KeyRole::root:
      return "root";
    case KeyRole::targets:
      return "targets";
    case KeyRole::products:
      return "products";
    case KeyRole::snapshot:
      return "snapshot";
    case KeyRole::timestamp:
      return "timestamp";
  }
  return "";
}

KeyStore::KeyStore(std::vector<fs::path> places, AskPassphrase ask, trust::KdfCost cost)
    : places_(std::move(places)), ask_(std::move(ask)), cost_(cost) {}

std::optional<fs::path> KeyStore::find_file(KeyRole role) const {
  const auto name = file_name_of(role);
  for (const auto& place : places_) {
    std::error_code ignored;
    if (fs::exists(place / name, ignored)) return place / name;
    if (place.filename() == name && fs::is_regular_file(place, ignored)) return place;
  }
  return std::nullopt;
}

bool KeyStore::has(KeyRole role) const { return find_file(role).has_value(); }

std::string KeyStore::described_places() const {
  if (places_.empty()) return "no folder";
  std::vector<std::string> names;
  names.reserve(places_.size());
  for (const auto& place : places_) names.push_back(place.native());
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<trust::KeyBox*> KeyStore::first_box(const fs::path& path) {
  if (boxes_.empty()) {
    SHOAL_ASSIGN(auto passphrase, ask_(path));
    boxes_.push_back(std::make_unique<trust::KeyBox>(std::move(passphrase), cost_));
  }
  return boxes_.front().get();
}

Result<std::size_t> KeyStore::create_missing(bool plain) {
  SHOAL_TRY(make_directories(folder(), kPrivateFolder));
  for (auto role : kKeyRoles) {
    const auto path = folder() / file_name_of(role);
    const auto its_public = public_file_of(path);
    const auto found = find_file(role);
    if (found == path)
      add_public_half(path);
    else if (!found && is_there(its_public))
      return fail(ErrorKind::conflict,
                  fmt::format("{} is there, without its secret half", its_public.native()),
                  "Bring its secret key back, or name another folder with --keys.");
  }
  std::size_t made = 0;
  for (auto role : kKeyRoles) {
    if (has(role)) continue;
    const auto path = folder() / file_name_of(role);
    auto key = trust::SigningKey::generate();
    Bytes file;
    if (plain) {
      file = trust::format_plain_key_file(key);
    } else {
      SHOAL_ASSIGN(auto* sealer, first_box(path));
      SHOAL_ASSIGN(file, sealer->seal(key));
    }
    SHOAL_TRY(write_both(path, file, key.public_key()));
    ++made;
  }
  indexed_ = false;
  return made;
}

Result<const trust::SigningKey*> KeyStore::open(const fs::path& path) {
  if (auto found = opened_.find(path); found != opened_.end()) return &found->second;
  auto file = read_key_file(path);
  if (!file) return std::unexpected(std::move(file.error()));
  auto sealed = trust::key_file_is_sealed(*file);
  if (!sealed) return in_file(std::move(sealed.error()), path);
  auto keep = [&](trust::SigningKey key) {
    return &opened_.insert_or_assign(path, std::move(key)).first->second;
  };
  if (!*sealed) {
    auto key = trust::KeyBox({}).open(*file);
    if (!key) return in_file(std::move(key.error()), path);
    return keep(*std::move(key));
  }
  SHOAL_TRY(first_box(path));
  for (auto& box : boxes_) {
    auto key = box->open(*file);
    if (key) return keep(*std::move(key));
    if (key.error().kind != ErrorKind::wrong_passphrase)
      return in_file(std::move(key.error()), path);
  }
  SHOAL_ASSIGN(auto passphrase, ask_(path));
  auto box = std::make_unique<trust::KeyBox>(std::move(passphrase), cost_);
  auto key = box->open(*file);
  if (!key) return in_file(std::move(key.error()), path);
  boxes_.push_back(std::move(box));
  return keep(*std::move(key));
}

Result<const trust::SigningKey*> KeyStore::load(KeyRole role) {
  auto file = find_file(role);
  if (file) return open(*file);
  return fail(ErrorKind::not_found,
              fmt::format("there is no {} key in {}", name_of(role), described_places()),
              "Give the folder with the repository's keys with --keys.");
}

void KeyStore::index() {
  if (std::exchange(indexed_, true)) return;
  by_id_.clear();
  auto add = [&](const fs::path& path) {
    auto file = read_key_file(path);
    auto key = file ? trust::parse_public_key_file(*file)
                    : Result<trust::PublicKey>(std::unexpected(file.error()));
    if (!key) return;
    // Public halves are parsed too; but what they name cannot sign.
    auto sealed = trust::key_file_is_sealed(*file);
    if (!sealed) return;
    std::error_code error;
    auto mode = fs::status(path, error).permissions();
    constexpr auto kOthers = fs::perms::group_read | fs::perms::others_read;
    by_id_.emplace(trust::key_id(*key),
                   KeyFile{path, *sealed, !error && (mode & kOthers) != fs::perms::none});
  };
  for (const auto& place : places_) {
    std::error_code error;
    if (!fs::is_directory(place, error)) {
      add(place);
      continue;
    }
    std::vector<fs::path> files;
    for (fs::directory_iterator entry(place, error), end;
         !error && entry != end && files.size() < kMaxKeyFiles; entry.increment(error))
      if (entry->path().extension() == kKeySuffix) files.push_back(entry->path());
    std::ranges::sort(files);
    for (const auto& file : files) add(file);
  }
}

std::optional<KeyStore::KeyFile> KeyStore::file_of_key(const std::string& id) {
  index();
  auto found = by_id_.find(id);
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t KeyStore::count(const trust::RoleKeys& allowed) {
  index();
  return static_cast<std::size_t>(
      std::ranges::count_if(allowed.key_ids, [&](const auto& id) { return by_id_.contains(id); }));
}

Result<std::vector<const trust::SigningKey*>> KeyStore::signers(const trust::RoleKeys& allowed) {
  index();
  std::vector<const trust::SigningKey*> out;
  for (const auto& id : allowed.key_ids) {
    auto found = by_id_.find(id);
    if (found == by_id_.end()) continue;
    SHOAL_ASSIGN(const auto* key, open(found->second.path));
    // The public part was not authenticated until now.
    if (key->id() == id) out.push_back(key);
  }
  return out;
}

Result<void> KeyStore::check_enough(const trust::RoleKeys& allowed, std::string_view role) {
  std::size_t here = count(allowed);
  if (here >= allowed.threshold) return {};
  if (by_id_.empty())
    return fail(
        ErrorKind::not_found,
        fmt::format("'{}' must be signed, and there is no key in {}", role, described_places()),
        "Give the folder with the repository's keys with --keys.");
  std::vector<std::string> absent;
  for (const auto& id : allowed.key_ids)
    if (!by_id_.contains(id)) absent.push_back(id.substr(0, 8));
  return fail(ErrorKind::not_allowed,
              fmt::format("'{}' must be signed by {} of its {} keys; {} holds {}, without {}", role,
                          allowed.threshold, allowed.key_ids.size(), described_places(), here,
                          fmt::join(absent, ", ")),
              "Give the folders or files of its keys with --keys, as often as needed.");
}

Result<std::vector<const trust::SigningKey*>> KeyStore::enough_signers(
    const trust::RoleKeys& allowed, std::string_view role) {
  SHOAL_TRY(check_enough(allowed, role));
  return signers(allowed);
}

Result<trust::PublicKey> make_key_file(const fs::path& file, bool plain, const AskPassphrase& ask,
                                       trust::KdfCost cost) {
  for (const auto& path : {file, public_file_of(file)})
    if (is_there(path)) return is_taken(path);
  auto key = trust::SigningKey::generate();
  Bytes bytes;
  if (plain) {
    bytes = trust::format_plain_key_file(key);
  } else {
    SHOAL_ASSIGN(auto passphrase, ask(file));
    SHOAL_ASSIGN(bytes, trust::KeyBox(std::move(passphrase), cost).seal(key));
  }
  SHOAL_TRY(write_both(file, bytes, key.public_key()));
  return key.public_key();
}

Result<trust::PublicKey> read_public_key(const fs::path& file) {
  SHOAL_ASSIGN(auto bytes, read_key_file(file));
  auto key = trust::parse_public_key_file(bytes);
  if (!key) return in_file(std::move(key.error()), file);
  return key;
}

}  // namespace shoal::publish
