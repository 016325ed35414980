// Keys: making one, and showing whose it is without opening it.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "ceremony.hpp"
#include "report.hpp"
#include "terminal.hpp"
#include "trust/fingerprint.hpp"

namespace shoal::cli {
namespace {

void print_key(const CommonOptions& common, const KeyOptions& options, const trust::PublicKey& key,
               nlohmann::json more) {
  auto id = trust::key_id(key);
  auto words = trust::fingerprint_words(key);
  if (common.json) {
    nlohmann::json document = {{"file", options.file.string()},
                               {"key_id", id},
                               {"words", words},
                               {"type", key.type},
                               {"public", key.value}};
    document.update(more);
    print_json(document);
    return;
  }
  fmt::print("key id  {}\nwords   {}\n", id, words);
}

}  // namespace

Result<int> key_new(const CommonOptions& common, const KeyOptions& options) {
  SHOAL_ASSIGN(auto key,
               publish::make_key_file(options.file, options.no_passphrase, ask_passphrase(true)));
  auto public_file = options.file.string() + ".pub";
  if (!common.json)
    fmt::print("Secret key in {} ({}); give others {}.\n", options.file.string(),
               options.no_passphrase ? "NOT sealed" : "sealed", public_file);
  print_key(common, options, key,
            {{"public_file", public_file}, {"sealed", !options.no_passphrase}});
  return kOk;
}

Result<int> key_show(const CommonOptions& common, const KeyOptions& options) {
  SHOAL_ASSIGN(auto key, publish::read_public_key(options.file));
  SHOAL_ASSIGN(auto bytes, read_file(options.file, trust::kMaxKeyFileBytes));
  auto sealed = trust::key_file_is_sealed(bytes);
  if (!common.json)
    fmt::print("{}: {}\n", options.file.string(),
               !sealed   ? "a public key"
               : *sealed ? "a secret key, sealed"
                         : "a secret key, NOT sealed");
  nlohmann::json more = {{"secret", sealed.has_value()}};
  if (sealed) more["sealed"] = *sealed;
  print_key(common, options, key, std::move(more));
  return kOk;
}

}  // namespace shoal::cli
