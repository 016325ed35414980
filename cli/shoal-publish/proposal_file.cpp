// A name is checked before the work that ends in a proposal, so that a slip of the hand costs
// neither a key nor the work.
#include "proposal_file.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.hpp"

namespace shoal::cli {

using publish::Proposal;
using publish::ProposalKind;

Result<Proposal> read_proposal(const std::filesystem::path& file, ProposalKind kind) {
  SHOAL_ASSIGN(auto bytes, read_file(file, publish::kMaxProposalBytes));
  SHOAL_ASSIGN(auto proposal, publish::parse_proposal(bytes));
  if (proposal.kind == kind) return proposal;
  return fail(ErrorKind::invalid_request,
              fmt::format("{} is a proposal for a {}", file.string(), name_of(proposal.kind)),
              fmt::format("Use 'shoal-publish {} …'.", name_of(proposal.kind)));
}

namespace {

Result<void> check_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored))
    return fail(ErrorKind::not_found,
                fmt::format("there is no folder {} to put the proposal in", folder.string()),
                "Make it, or choose another name.");
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return fail(system_error(errno, "put a proposal into", folder.native()));
}

}  // namespace

Result<void> check_proposal_name(const std::filesystem::path& file) {
  std::error_code ignored;
  if (file.empty()) return {};
  SHOAL_TRY(check_folder(file.has_parent_path() ? file.parent_path() : "."));
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, ignored))) return {};
  auto bytes = read_file(file, publish::kMaxProposalBytes);
  if (bytes) {
    auto there = publish::parse_proposal(*bytes);
    if (there &&
        std::ranges::all_of(there->roles, [](const auto& role) { return role.signatures.empty(); }))
      return {};
  }
  return fail(ErrorKind::conflict,
              fmt::format("{} is there already, and is no proposal that nobody has signed yet",
                          file.string()),
              "Choose another name.");
}

Result<void> leave_proposal(const CommonOptions& common, const Proposal& proposal) {
  if (common.propose.empty())
    return fail(ErrorKind::internal, "there is a proposal, and no file to put it in");
  SHOAL_TRY(write_file_atomic(common.propose, publish::format_proposal(proposal)));
  if (!common.json)
    fmt::print(
        "Signatures are missing, so nothing is published yet. The proposal is in {}: have it "
        "signed\nwith 'shoal-publish product sign', and apply it with 'shoal-publish product "
        "apply'.\n",
        common.propose.string());
  return {};
}

}  // namespace shoal::cli
