// Small members stay in the pages; of large ones only what is looked at.
#include "delta/member_source.hpp"

#include <algorithm>
#include <cstring>

#include "delta/damaged.hpp"

namespace shoal::delta {
namespace {

std::vector<MemberSource> sources_of(const OldSpace& old, const std::vector<OldMember>& members,
                                     MemberPages& pages) {
  std::vector<MemberSource> sources;
  sources.reserve(members.size());
  for (const auto& member : members) sources.emplace_back(old.file(member.file), member, pages);
  return sources;
}

std::uint64_t plain_bytes(const std::vector<OldMember>& members) {
  std::uint64_t sum = 0;
  for (const auto& member : members) sum += member.plain_size;
  return sum;
}

std::vector<const ByteSource*> pointers(const std::vector<MemberSource>& sources) {
  std::vector<const ByteSource*> pointers;
  pointers.reserve(sources.size());
  for (const auto& source : sources) pointers.push_back(&source);
  return pointers;
}

}  // namespace

const Bytes* MemberPages::find(const void* member, std::uint64_t number) {
  for (auto page = recent_.begin(); page != recent_.end(); ++page) {
    if (page->member != member || page->number != number) continue;
    recent_.splice(recent_.begin(), recent_, page);
    return &page->bytes;
  }
  return nullptr;
}

const Bytes& MemberPages::add(const void* member, std::uint64_t number, Bytes page) {
  bytes_ += page.size();
  recent_.push_front({member, number, std::move(page)});
  while (bytes_ > kMostBytes) {
    bytes_ -= recent_.back().bytes.size();
    recent_.pop_back();
  }
  return recent_.front().bytes;
}

void MemberPages::clear() {
  recent_.clear();
  bytes_ = 0;
}

Result<void> MemberSource::open() const {
  const ByteSource* packed = &file_;
  std::uint64_t begin = member_.offset;
  std::uint64_t end = member_.offset + member_.packed_size;
  if (member_.in_png) {
    SHOAL_ASSIGN(row_, PngRow::find(file_, member_.offset, member_.packed_size));
    if (!row_ || row_->row_bytes() != member_.packed_size ||
        row_->size() <= kZlibHeaderBytes + kZlibTrailerBytes) {
      return bad("an old file has no PNG chunks where it should");
    }
    packed = &*row_;
    begin = kZlibHeaderBytes;
    end = row_->size() - kZlibTrailerBytes;
  }
  inflater_ = std::make_unique<PagedInflater>(*packed, begin, end, member_.plain_size);
  return {};
}

Result<const Bytes*> MemberSource::page(std::uint64_t number) const {
  if (const auto* known = pages_.find(this, number)) return known;
  if (!pages_.take_read()) return bad("a part goes back and forth in compressed members too often");
  if (!inflater_) SHOAL_TRY(open());
  Bytes fresh(inflater_->page_size(number));
  SHOAL_TRY(inflater_->read(number, fresh));
  return &pages_.add(this, number, std::move(fresh));
}

Result<void> MemberSource::read(std::uint64_t offset, MutableByteView out) const {
  while (!out.empty()) {
    const std::uint64_t number = offset / PagedInflater::kPageBytes;
    SHOAL_ASSIGN(const auto* bytes, page(number));
    const std::uint64_t into = offset - number * PagedInflater::kPageBytes;
    const std::size_t size = std::min<std::uint64_t>(out.size(), bytes->size() - into);
    std::memcpy(out.data(), bytes->data() + into, size);
    out = out.subspan(size);
    offset += size;
  }
  return {};
}

void MemberSource::release() {
  inflater_.reset();
  row_.reset();
}

MemberSpace::MemberSpace(const OldSpace& old, const std::vector<OldMember>& members)
    : pages_(MemberPages::budget(plain_bytes(members))),
      sources_(sources_of(old, members, pages_)),
      space_(old, pointers(sources_)) {}

void MemberSpace::release() {
  pages_.clear();
  for (auto& source : sources_) source.release();
}

}  // namespace shoal::delta
