// The publisher's secret keys: one file per role in a folder of their own, opened when needed.
// Format: docs/formats/keys.md.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "trust/signing.hpp"

namespace shoal::publish {

// Which key signs what. `products` signs every product's role, so that the others can stay offline
// while releases are made (a product's first release needs `targets` too).
enum class KeyRole { root, targets, products, snapshot, timestamp };
inline constexpr std::array kKeyRoles = {KeyRole::root, KeyRole::targets, KeyRole::products,
                                         KeyRole::snapshot, KeyRole::timestamp};
const char* name_of(KeyRole role);

// Asked at most once, and only when a sealed key file must be opened (or made).
using AskPassphrase = std::function<Result<std::string>()>;

class KeyStore {
 public:
  KeyStore(std::filesystem::path folder, AskPassphrase ask, trust::KdfCost cost = {});

  const std::filesystem::path& folder() const { return folder_; }
  // Makes those keys that are not there (and the folder, mode 0700; files 0600), sealed unless
  // `plain`. Existing ones are kept. Returns how many were made. Errors: io_error, …
  Result<std::size_t> create_missing(bool plain);
  // Errors: not_found (no such key file), wrong_passphrase, metadata_invalid.
  Result<const trust::SigningKey*> load(KeyRole role);
  bool has(KeyRole role) const;

 private:
  std::filesystem::path file_of(KeyRole role) const;
  Result<trust::KeyBox*> box();

  std::filesystem::path folder_;
  AskPassphrase ask_;
  trust::KdfCost cost_;
  std::unique_ptr<trust::KeyBox> box_;
  std::map<KeyRole, trust::SigningKey> loaded_;
};

}  // namespace shoal::publish
