// What differs between two versions of metadata, in sentences that a person can judge. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "publish/proposal.hpp"

namespace shoal::publish {

// Whether both are the same bytes.
bool is_same_file(const trust::TargetMeta& a, const trust::TargetMeta& b);
// Whether both speak for the same paths, and for them alone.
bool is_same_scope(const trust::Delegation& a, const trust::Delegation& b);

// Adds what changes of the keys and the threshold of a role; before: no keys for a new one.
void describe_keys(const std::string& role, const Party& before, const Party& after,
                   std::vector<std::string>& out);

// What differs between two versions of a targets role, in sentences.
std::vector<std::string> describe_targets_change(const std::string& role,
                                                 const trust::Targets* before,
                                                 const trust::Targets& after);

// The same, and the version with its date.
std::vector<std::string> describe_next_version(const std::string& role,
                                               const trust::Targets* before,
                                               const trust::Targets& after);
// A root's next version, with its date.
std::string describe_root_version(const trust::Root& before, const trust::Root& after);
// How lists of channels change, as far as they are among the files (by target path).
std::vector<std::string> describe_channels(const std::map<std::string, Bytes>& before,
                                           const std::map<std::string, Bytes>& after);

// The fingerprint of one of the keys, as computed here.
std::string key_words(const std::string& id, const trust::KeyMap& keys);
// "12345678 (acid-acorn-…)"
std::string named_key(const std::string& id, const trust::KeyMap& keys);
// Printable ASCII only: what comes from a stick must not steer a terminal. What is too long to be
// shown whole says so.
std::string printable(std::string_view text);

}  // namespace shoal::publish
