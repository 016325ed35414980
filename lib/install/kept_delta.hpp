// Delta artifacts after the commit, for machines that update later:
// <library>/.shoal/kept/<product>/<version>/<component>/delta. Whoever needs the room may remove
// them at any time: an image whose file is gone offers nothing.
#pragma once

#include <memory>
#include <string>

#include "install/tree_image.hpp"

namespace shoal::install {

struct KeptPlace {
  std::string product;
  std::string version;  // that the delta leads to
  std::string component;
};

// Moves the delta of a change (stage_delta) out of its staging folder. Its image must take no
// writes any more. The stamp is what the kept file is known by. Errors: io_error.
Result<FileStamp> keep_delta(const BeneathDir& library, const std::string& change,
                             const KeptPlace& place);
// The reverse, for a change that was ended between that and its commit. Nothing kept: nothing to
// do.
Result<void> take_back_delta(const BeneathDir& library, const std::string& change,
                             const KeptPlace& place);

// `library` must outlive the image.
std::shared_ptr<TreeImage> kept_image(const BeneathDir& library, const KeptPlace& place,
                                      const content::DeltaArtifact& delta, const FileStamp& stamp);

// These free the room at once, also of a file that is open. Errors: io_error.
Result<void> discard_kept(const BeneathDir& library, const std::string& product,
                          const std::string& version);
Result<void> discard_kept(const BeneathDir& library, const std::string& product);
Result<void> discard_kept(const BeneathDir& library);

}  // namespace shoal::install
