// Private to install: one walk to a folder for a run of files in it.
#pragma once

#include <optional>
#include <string>

#include "install/look.hpp"

namespace shoal::install {

// The folder of a path, kept open while its neighbours follow. What is done at the place it gives
// reaches the folder that was there when it was opened, even if it is moved meanwhile: not for
// loops that move or remove folders.
class OpenFolder {
 public:
  // `library` must outlive it.
  explicit OpenFolder(const BeneathDir& library) : library_(library) {}

  struct Place {
    const BeneathDir& directory;  // until the next call
    RelativePath path;            // in that directory
  };
  // A folder that cannot be opened: the path as it is, in the library, whose calls then say why.
  Place of(const RelativePath& path) {
    auto folder = path.parent();
    if (folder.empty()) return {library_, path};
    if (!directory_ || folder_ != folder) {
      directory_.reset();
      auto opened = library_.sub(known_path(std::string(folder)));
      if (!opened) return {library_, path};
      directory_ = std::move(*opened);
      folder_ = folder;
    }
    return {*directory_, known_path(std::string(path.name()))};
  }

 private:
  const BeneathDir& library_;
  std::string folder_;
  std::optional<BeneathDir> directory_;
};

}  // namespace shoal::install
