// A delta artifact on this disk while a change uses it: one file beside the staged ones,
// <library>/.shoal/staging/<change>/@<component>/delta, fetched and verified piece by piece like
// any other artifact. ('@' is in no component's name.)
#pragma once

#include "install/stage.hpp"

namespace shoal::install {

inline constexpr const char* kDeltaName = "delta";  // of the file in its folder

RelativePath staged_delta(const std::string& change, const std::string& component);

// As if the delta were a component of one file, for its image. Its bytes are known by their pieces
// alone: the file has no merkle root.
content::Component delta_component(const content::DeltaArtifact& delta);

// Makes the file, or finds what an earlier run has fetched of it. `component` is the name of the
// one that the delta leads to. Blocking; worker thread. Errors: as stage().
Result<StagedComponent> stage_delta(const BeneathDir& library, const std::string& change,
                                    const std::string& component,
                                    const content::DeltaArtifact& delta,
                                    const std::vector<Digest>& piece_hashes, WorkerPool& pool,
                                    const StopToken& stop);

}  // namespace shoal::install
