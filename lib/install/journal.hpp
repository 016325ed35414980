// Private to install: the commit's journal. Everything that rolling forward needs, and nothing that
// it must ask of anyone else. Format: docs/install.md.
#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/relative_path.hpp"

namespace shoal::install {

// Paths but for the first two are relative to the install's folder.
struct Journal {
  struct Stamped {
    RelativePath path;
    FileStamp stamp;  // act only on what has this stamp
  };
  struct Placement {
    std::uint32_t component = 0;
    std::uint32_t file = 0;  // its stamp afterwards: components[component].stamps[file]
    RelativePath path;       // beneath the component's staging folder, and the install's
    FileStamp replaces;      // what may be replaced at the path; zero: nothing
  };
  struct Mode {
    RelativePath path;
    FileStamp stamp;
    bool executable = false;
  };
  struct Link {
    RelativePath path;
    std::string target;
  };
  struct Component {
    std::string name;
    std::vector<FileStamp> stamps;
  };

  explicit Journal(RelativePath install_folder) : folder(std::move(install_folder)) {}

  RelativePath folder;
  std::string change;
  std::vector<Component> components;
  std::vector<Stamped> aside;
  std::vector<Stamped> remove;
  std::vector<RelativePath> remove_folders;  // innermost first
  std::vector<Placement> place;
  std::vector<Mode> modes;
  std::vector<Link> links;
  std::vector<RelativePath> folders;  // empty ones
};

Bytes format_journal(const Journal& journal);
// Errors: state_corrupt, unsupported_version.
Result<Journal> parse_journal(ByteView bytes);

}  // namespace shoal::install
