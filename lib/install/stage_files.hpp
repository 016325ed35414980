// Private to install: making the staged files of one component, and what it asks of the file
// system.
#pragma once

#include <atomic>

#include "install/stage.hpp"

namespace shoal::install {

// Whether files here can share their bytes (FICLONE): a copy then takes no room. Leaves no trace.
bool can_clone(const BeneathDir& library);

// Asks for this range to be sent to the disk, and does not wait: less is left for the commit to
// wait for. A hint: nothing depends on it.
void begin_writeback(int fd, std::uint64_t offset, std::uint64_t length);

class FileStager {
 public:
  // `staging`: the component's staging folder. All must outlive the stager.
  FileStager(const BeneathDir& library, const Plan& plan, std::uint32_t component,
             RelativePath staging, const StopToken& stop);

  struct Prepared {
    TreeImage::FileState state;
    bool existed = false;  // an earlier run may have put right bytes into it
    bool copy = false;     // its bytes are still to be copied from the old file
  };
  // Makes the link or the file (with its size, without its bytes). Thread-safe. Errors: conflict
  // when the old file is no longer the one that was planned with.
  Result<Prepared> prepare(FileIndex file) const;

  // Copies the whole old file of a copy (or of a move that could not be linked): as a reflink where
  // the file system can. Returns the bytes written; nothing if the old file has changed meanwhile.
  Result<std::optional<std::uint64_t>> copy(FileIndex file) const;

  // A kept or moved file proved damaged: makes a staged file of its own, with the same bytes, for
  // the bad ones to be replaced.
  Result<void> restage(FileIndex file) const;

 private:
  const content::FileEntry& entry(FileIndex file) const;
  const FilePlan& planned(FileIndex file) const;
  RelativePath staged_path(FileIndex file) const;
  RelativePath old_path(FileIndex file) const;
  const FileStamp& old_stamp(FileIndex file) const;
  Result<bool> link(FileIndex file) const;
  Result<bool> make_file(FileIndex file) const;
  Result<std::uint64_t> copy_bytes(const RelativePath& from, FileIndex file) const;

  const BeneathDir& library_;
  const Plan& plan_;
  const std::uint32_t component_;
  const RelativePath staging_;
  const StopToken& stop_;
};

}  // namespace shoal::install
