// The deltas of a component in release.json. Private to `content`; include in .cpp files only
// (nlohmann is heavy).
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "content/json_fields.hpp"
#include "content/manifest.hpp"

namespace shoal::content {

nlohmann::ordered_json deltas_json(const std::vector<DeltaArtifact>& deltas);
// Of a component's object; none where it has none. A delta in a format that this program does not
// know is left out: there are other ways to the new version. Errors: metadata_invalid.
Result<std::vector<DeltaArtifact>> parse_deltas(const JsonFields& component);

}  // namespace shoal::content
