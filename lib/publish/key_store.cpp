// Key files by role; the passphrase is asked for when the first sealed one is opened, and all of
// them share it.
#include "publish/key_store.hpp"

#include <fmt/core.h>

#include "base/file.hpp"

namespace shoal::publish {

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

KeyStore::KeyStore(std::filesystem::path folder, AskPassphrase ask, trust::KdfCost cost)
    : folder_(std::move(folder)), ask_(std::move(ask)), cost_(cost) {}

std::filesystem::path KeyStore::file_of(KeyRole role) const {
  return folder_ / fmt::format("{}.key", name_of(role));
}

bool KeyStore::has(KeyRole role) const {
  std::error_code ignored;
  return std::filesystem::exists(file_of(role), ignored);
}

Result<trust::KeyBox*> KeyStore::box() {
  if (!box_) {
    SHOAL_ASSIGN(auto passphrase, ask_());
    box_ = std::make_unique<trust::KeyBox>(std::move(passphrase), cost_);
  }
  return box_.get();
}

Result<std::size_t> KeyStore::create_missing(bool plain) {
  constexpr ::mode_t kPrivateFolder = 0700, kPrivateFile = 0600;
  SHOAL_TRY(make_directories(folder_, kPrivateFolder));
  std::size_t made = 0;
  for (auto role : kKeyRoles) {
    if (has(role)) continue;
    auto key = trust::SigningKey::generate();
    Bytes file;
    if (plain) {
      file = trust::format_plain_key_file(key);
    } else {
      SHOAL_ASSIGN(auto* sealer, box());
      SHOAL_ASSIGN(file, sealer->seal(key));
    }
    SHOAL_TRY(write_file_atomic(file_of(role), file, kPrivateFile));
    ++made;
  }
  return made;
}

Result<const trust::SigningKey*> KeyStore::load(KeyRole role) {
  if (auto found = loaded_.find(role); found != loaded_.end()) return &found->second;
  auto file = read_file(file_of(role), trust::kMaxKeyFileBytes);
  if (!file && file.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found,
                fmt::format("there is no {} key in {}", name_of(role), folder_.native()),
                "Give the folder with the repository's keys with --keys.");
  if (!file) return std::unexpected(std::move(file.error()));
  SHOAL_ASSIGN(bool sealed, trust::key_file_is_sealed(*file));
  if (sealed) {
    SHOAL_ASSIGN(auto* opener, box());
    SHOAL_ASSIGN(auto key, opener->open(*file));
    return &loaded_.emplace(role, std::move(key)).first->second;
  }
  SHOAL_ASSIGN(auto key, trust::KeyBox({}).open(*file));
  return &loaded_.emplace(role, std::move(key)).first->second;
}

}  // namespace shoal::publish
