// A proposal for a root or a product, as it comes on a stick: read, checked, reviewed.
#include <algorithm>

#include "fuzzer.hpp"
#include "publish/proposal.hpp"
#include "publish/review.hpp"

namespace {

using namespace shoal;

constexpr UtcSeconds kReviewedAt{std::chrono::seconds(1'800'000'000)};

void require_printable(const std::vector<std::string>& lines) {
  for (const auto& line : lines)
    fuzz::require(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7f; }),
                  "a review shows nothing that could steer a terminal");
}

void require_sound(const publish::Review& review) {
  require_printable(review.changes);
  require_printable(review.clients);
  require_printable(review.warnings);
  bool complete = true;
  for (const auto& role : review.roles) {
    require_printable({role.role});
    for (const auto& side : role.sides) {
      require_printable({side.who});
      for (const auto& key : side.keys) require_printable({key.id, key.words});
      complete = complete && (!side.must || side.have >= side.threshold);
    }
  }
  fuzz::require(review.complete == complete, "complete is what has every signature it must have");
}

}  // namespace

SHOAL_FUZZER(proposal) {
  auto proposal = publish::parse_proposal(bytes);
  if (!proposal) return;
  const Bytes written = publish::format_proposal(*proposal);
  const auto again = publish::parse_proposal(written);
  fuzz::require(again.has_value(), "a proposal that was written reads back");
  fuzz::require(publish::format_proposal(*again) == written, "and is the same");
  const auto checked = publish::check_proposal(*proposal);
  if (!checked) return;
  require_sound(publish::review_proposal(*proposal, *checked, kReviewedAt));
  publish::keep_good_signatures(*proposal, *checked);
  const auto kept = publish::check_proposal(*proposal);
  fuzz::require(kept && kept->complete() == checked->complete(),
                "signatures that are dropped counted for nothing");
}
