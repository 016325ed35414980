// One component's image over real files: the staged ones while a change runs, the installed ones
// afterwards. This is what makes an installed tree a seed without a second copy.
#pragma once

#include <memory>
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
    // For installed files. A staged file with a stamp is complete and checked: believed while the
    // stamp matches, and never written again (it may be a hard link to an installed file); it is
    // also found at folder/path, once the commit has put it there.
    FileStamp stamp;
  };

  // `library` must outlive the image. `staging`: the component's staging folder in the library.
  TreeImage(const BeneathDir& library, RelativePath folder, RelativePath staging,
            std::shared_ptr<const content::Component> component, std::vector<FileState> files);
  ~TreeImage() override;

  // A sealed image of an installed component; files whose stamps do not match are absent.
  static std::shared_ptr<TreeImage> of_installed(const BeneathDir& library, RelativePath folder,
                                                 const InstalledComponent& installed);

  Result<void> read(std::uint64_t offset, MutableByteView out) override;
  // Blocks may straddle staged and finished files. What falls into staged files is written; what
  // falls into finished and absent files and gaps is dropped.
  Result<void> write(std::uint64_t offset, ByteView bytes) override;
  // Staged files count as good here: which of their pieces are there, the caller knows.
  bool offers(PieceIndex piece) override;

  // The pieces whose every file is in place (staged files count as not in place).
  transfer::PieceSet complete_pieces();
  // While held off, writes succeed and are dropped, as those to finished files are; also after
  // seal(). Both return once no such write is under way: a piece that came twice must not change a
  // file that is being verified.
  void hold_writes(FileIndex file);
  void hold_writes();
  void allow_writes(FileIndex file);
  void allow_writes();  // to every file
  // For good, and without waiting: what was staged is needed no more, or by another image.
  void drop_writes();
  // Bytes that write() has put into files so far: not those that were dropped.
  std::uint64_t written_bytes() const;
  // After the commit: every staged file is now installed, with these stamps; writes are refused.
  void seal(std::vector<FileStamp> stamps);

  FileState file_state(FileIndex file) const;
  void set_file_state(FileIndex file, FileState state);
  const content::ImageMap& map() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::install
