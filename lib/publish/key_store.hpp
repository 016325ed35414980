// The publisher's secret keys: files in folders of their own, opened when needed. A role's keys are
// found by their ids, whatever the files are called. Format: docs/formats/keys.md.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "trust/signing.hpp"

namespace shoal::publish {

// The keys that `init` makes, by file name. `products` signs every product that has no keys of its
// own, so that the others can stay offline while releases are made (a product's first release needs
// `targets` too).
enum class KeyRole { root, targets, products, snapshot, timestamp };
inline constexpr std::array kKeyRoles = {KeyRole::root, KeyRole::targets, KeyRole::products,
                                         KeyRole::snapshot, KeyRole::timestamp};
const char* name_of(KeyRole role);

// Asked only when a sealed key file must be opened (or made) and no passphrase given before fits.
using AskPassphrase = std::function<Result<std::string>(const std::filesystem::path& key_file)>;

// Limits of a folder of keys, which may be a stick with anything on it.
inline constexpr std::size_t kMaxKeyFiles = 1000;
inline constexpr const char* kKeySuffix = ".key";

class KeyStore {
 public:
  // Each place is a folder (its *.key files) or one key file.
  KeyStore(std::vector<std::filesystem::path> places, AskPassphrase ask, trust::KdfCost cost = {});
  KeyStore(std::filesystem::path folder, AskPassphrase ask, trust::KdfCost cost = {})
      : KeyStore(std::vector{std::move(folder)}, std::move(ask), cost) {}

  // The first place: where keys are made.
  const std::filesystem::path& folder() const { return places_.front(); }
  // Makes those of init's keys that are in no place (and the folder, mode 0700; files 0600), sealed
  // unless `plain`, each with its public half beside it ("<file>.pub"). Existing ones are kept.
  // Returns how many were made. Errors: conflict (a public half is there alone), io_error, …
  Result<std::size_t> create_missing(bool plain);
  // One of init's keys, by its file name, in the first place that has it. Errors: not_found (no
  // such key file), wrong_passphrase, metadata_invalid.
  Result<const trust::SigningKey*> load(KeyRole role);
  bool has(KeyRole role) const;

  // Of the key with that id, without opening it; none when it is not here.
  struct KeyFile {
    std::filesystem::path path;
    bool sealed = false;
    bool readable_by_others = false;  // than its owner
  };
  std::optional<KeyFile> file_of_key(const std::string& id);

  // How many of a role's keys are here, sealed or not. Files that are no keys count for nothing.
  std::size_t count(const trust::RoleKeys& allowed);
  // Those keys, opened. Fewer than the threshold (none, even) is no error here. Errors:
  // wrong_passphrase, metadata_invalid, io_error.
  Result<std::vector<const trust::SigningKey*>> signers(const trust::RoleKeys& allowed);
  // As signers(), but at least the threshold. Errors: not_found (no key files at all), not_allowed.
  Result<std::vector<const trust::SigningKey*>> enough_signers(const trust::RoleKeys& allowed,
                                                               std::string_view role);
  // What enough_signers() would answer, without opening a file.
  Result<void> check_enough(const trust::RoleKeys& allowed, std::string_view role);

 private:
  std::optional<std::filesystem::path> find_file(KeyRole role) const;
  Result<const trust::SigningKey*> open(const std::filesystem::path& path);
  void index();
  Result<trust::KeyBox*> first_box(const std::filesystem::path& path);
  std::string described_places() const;

  std::vector<std::filesystem::path> places_;
  AskPassphrase ask_;
  trust::KdfCost cost_;
  std::vector<std::unique_ptr<trust::KeyBox>> boxes_;  // one for each passphrase given so far
  bool indexed_ = false;
  std::map<std::string, KeyFile> by_id_;  // what the files say, before being opened
  std::map<std::filesystem::path, trust::SigningKey> opened_;
};

// Writes a new secret key, sealed unless `plain`, and its public half beside it ("<file>.pub").
// Errors: conflict when either is there already.
Result<trust::PublicKey> make_key_file(const std::filesystem::path& file, bool plain,
                                       const AskPassphrase& ask, trust::KdfCost cost = {});
// The public key in a file of either kind.
Result<trust::PublicKey> read_public_key(const std::filesystem::path& file);

}  // namespace shoal::publish
