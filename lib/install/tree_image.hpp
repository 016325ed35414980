// One component's image over real files: the staged ones while a change runs, the installed ones
// afterwards. This is what makes an installed tree a seed without a second copy.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/beneath_dir.hpp"
#include "content/image.hpp"
#include "install/component.hpp"
#include "transfer/image_store.hpp"
#include "transfer/pieces.hpp"

namespace shoal::install {

class TreeImage final : public transfer::ImageStore {
 public:
  // Where a file's bytes are.
  enum class Place {
    installed,  // at folder/path, believed while its stamp matches
    staged,     // at staging/path, writable
    absent,     // nowhere (a file left to the user, or known damaged): its pieces are not offered
  };
  struct FileState {
    Place place = Place::absent;
    FileStamp stamp;  // for installed
  };

  // `library` must outlive the image. `staging`: the component's staging folder in the library.
  TreeImage(const BeneathDir& library, RelativePath folder, RelativePath staging,
            std::shared_ptr<const content::Component> component, std::vector<FileState> files);
  ~TreeImage() override;

  // A sealed image of an installed component; files whose stamps do not match are absent.
  static std::shared_ptr<TreeImage> of_installed(const BeneathDir& library, RelativePath folder,
                                                 const InstalledComponent& installed);

  Result<void> read(std::uint64_t offset, MutableByteView out) override;
  Result<void> write(std::uint64_t offset, ByteView bytes) override;
  bool offers(PieceIndex piece) override;

  // The pieces whose every file is in place (staged files count as not in place).
  transfer::PieceSet complete_pieces();
  // After the commit: every staged file is now installed, with these stamps; writes are refused.
  void seal(std::vector<FileStamp> stamps);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::install
