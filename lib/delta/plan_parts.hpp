// Parts of new files, with what they are made from: covers within the limits of the format, old
// programs, and the compressed members of old files. Private to the encoder.
#pragma once

#include <optional>
#include <vector>

#include "delta/prediction.hpp"
#include "delta/tree_side.hpp"

namespace shoal::delta {

class PartPlanner {
 public:
  // Both sides outlive the planner. `covers`: of all new files, in order (find_covers).
  PartPlanner(const Side& old, const Side& fresh, std::vector<Cover> covers);

  // The old files; what a member is made from is put behind them part by part.
  const OldSpace& space() const { return space_; }

  // The next part of the stretch [offset, end) of a tree's file: whole, if it is a program;
  // otherwise up to the limits. Fixes are for the caller to learn.
  Part next_part(std::size_t file, std::uint64_t offset, std::uint64_t end) const;

  struct MemberPart {
    Part part;
    OldSpace space;  // of the part: the old files, and behind them its members
  };
  // Of the new side's opened member.
  MemberPart member_part(std::size_t number) const;

 private:
  void take_covers(Part& part, std::uint64_t begin, bool may_end) const;
  void choose_programs(Part& part) const;
  std::vector<const ByteSource*> choose_members(Part& part) const;
  std::optional<std::size_t> member_at(std::uint64_t old_position) const;

  const Side& old_;
  const Side& fresh_;
  const std::vector<Cover> covers_;
  const OldSpace space_;
};

}  // namespace shoal::delta
