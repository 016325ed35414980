// A component's stamps as bytes: a count, then size, time and inode of each file.
#include "install/component.hpp"
#include "install/wire.hpp"

namespace shoal::install {
namespace {

constexpr std::array<char, 4> kMagic = {'S', 'H', 'S', 'T'};
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMinStampBytes = 3;

}  // namespace

Bytes format_stamps(const std::vector<FileStamp>& stamps) {
  WireWriter out(kMagic, kVersion);
  out.number(stamps.size());
  for (const auto& stamp : stamps) out.stamp(stamp);
  return out.finish();
}

Result<std::vector<FileStamp>> parse_stamps(ByteView bytes) {
  SHOAL_ASSIGN(auto in, WireReader::open(bytes, kMagic, kVersion, "an install's file stamps"));
  SHOAL_ASSIGN(auto count, in.count(kMinStampBytes));
  std::vector<FileStamp> stamps(count);
  for (auto& stamp : stamps) {
    SHOAL_ASSIGN(stamp, in.stamp());
  }
  SHOAL_TRY(in.expect_end());
  return stamps;
}

}  // namespace shoal::install
