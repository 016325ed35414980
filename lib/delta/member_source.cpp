// Members are small (kMaxMemberBytes), so each is inflated whole.
#include "delta/member_source.hpp"

#include <cstring>

#include "delta/damaged.hpp"
#include "delta/deflate.hpp"

namespace shoal::delta {
namespace {

std::vector<MemberSource> sources_of(const OldSpace& old, const std::vector<OldMember>& members) {
  std::vector<MemberSource> sources;
  sources.reserve(members.size());
  for (const auto& member : members) sources.emplace_back(old.file(member.file), member);
  return sources;
}

std::vector<const ByteSource*> pointers(const std::vector<MemberSource>& sources) {
  std::vector<const ByteSource*> pointers;
  pointers.reserve(sources.size());
  for (const auto& source : sources) pointers.push_back(&source);
  return pointers;
}

}  // namespace

Result<void> MemberSource::read(std::uint64_t offset, MutableByteView out) const {
  if (plain_.empty()) {
    Bytes packed(member_.packed_size);
    SHOAL_TRY(file_.read(member_.offset, packed));
    auto plain = inflate_exactly(packed, member_.plain_size);
    if (!plain) return bad("an old file has no compressed member where it should");
    plain_ = std::move(*plain);
  }
  if (!out.empty()) std::memcpy(out.data(), plain_.data() + offset, out.size());
  return {};
}

MemberSpace::MemberSpace(const OldSpace& old, const std::vector<OldMember>& members)
    : sources_(sources_of(old, members)), space_(old, pointers(sources_)) {}

void MemberSpace::release() {
  for (auto& source : sources_) source.release();
}

}  // namespace shoal::delta
