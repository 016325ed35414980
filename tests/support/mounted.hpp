// A small file system of its own, in a file, for one test; needs root.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "support/temp_dir.hpp"

namespace shoal::test {

struct FileSystem {
  std::string make;  // the program, with its options
  std::string size;  // of the file, as truncate(1) takes it
};
inline const FileSystem kExt4 = {"/sbin/mkfs.ext4 -q -m 0", "8M"};
inline const FileSystem kXfs = {"/sbin/mkfs.xfs -q", "320M"};  // it wants 300M at least

class Mounted {
 public:
  // False: it cannot be had here, and the test is to be skipped.
  bool mount(const FileSystem& system = kExt4) {
    if (::geteuid() != 0) return false;
    auto image = (temp_ / "disk.img").string();
    std::filesystem::create_directories(temp_ / "mnt");
    return run("truncate -s " + system.size + " " + image) && run(system.make + " " + image) &&
           run("mount -o loop " + image + " " + path().string()) && (mounted_ = true);
  }
  bool remount_read_only() { return run("mount -o remount,ro " + path().string()); }
  ~Mounted() {
    if (mounted_) run("umount " + path().string());
  }
  std::filesystem::path path() const { return temp_ / "mnt"; }

 private:
  static bool run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }
  TempDir temp_;
  bool mounted_ = false;
};

}  // namespace shoal::test
