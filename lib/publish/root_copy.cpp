// load_state() begins with root.json and checks the numbered roots after it. The numbered one of
// the same version is not among those: it is trusted only if it says the same and is signed.
#include "publish/root_copy.hpp"

#include <fmt/core.h>

#include "base/file.hpp"
#include "trust/verifier.hpp"

namespace shoal::publish {
namespace {

constexpr trust::Limits kLimits{};

struct Copies {
  RootCopies verdict = RootCopies::same;
  Result<Bytes> copy, numbered;
};

RootCopies judge(ByteView copy, ByteView numbered, std::uint64_t newest) {
  auto copied = trust::parse_root(copy, kLimits);
  if (!copied || copied->body.version != newest) return RootCopies::copy_is_older;
  auto there = trust::parse_root(numbered, kLimits);
  if (!there || there->body.version != newest ||
      !trust::TrustedMetadata::begin(numbered, UtcSeconds{}, kLimits))
    return RootCopies::numbered_is_wrong;
  // The same statement, signed by others: either will do.
  return there->signed_bytes == copied->signed_bytes ? RootCopies::same : RootCopies::two_roots;
}

Copies read_copies(const Layout& layout, const State& state) {
  Copies out{RootCopies::same, read_file(layout.root_copy(), kLimits.root_bytes),
             read_file(layout.metadata(state.root.version, "root"), kLimits.root_bytes)};
  if (!out.numbered)
    out.verdict = RootCopies::numbered_is_lost;
  else if (!out.copy)
    out.verdict = RootCopies::copy_is_older;
  else if (*out.copy != *out.numbered)
    out.verdict = judge(*out.copy, *out.numbered, state.root.version);
  return out;
}

}  // namespace

RootCopies compare_root_copies(const Layout& layout, const State& state) {
  return read_copies(layout, state).verdict;
}

Result<void> restore_root_copies(const Layout& layout, const State& state) {
  auto there = read_copies(layout, state);
  switch (there.verdict) {
    case RootCopies::same:
      return {};
    case RootCopies::copy_is_older:
      return write_file_atomic(layout.root_copy(), *there.numbered);
    case RootCopies::numbered_is_lost:
    case RootCopies::numbered_is_wrong:
      if (!there.copy) return std::unexpected(std::move(there.copy.error()));
      return write_file_atomic(layout.metadata(state.root.version, "root"), *there.copy);
    case RootCopies::two_roots:
      return fail(
          ErrorKind::conflict,
          fmt::format("root.json and metadata/{}.root.json are two different roots, both of "
                      "them signed",
                      state.root.version),
          "Find out which one clients have, and copy it over the other.");
  }
  return {};
}

}  // namespace shoal::publish
