// Of many failures the first of each sort is kept, and the sorts are ranked at the end.
#include "trust/mirrors.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

namespace shoal::trust {

struct Mirrors::Failures {
  std::optional<Error> refused, missing, trouble;

  void add(Error error) {
    if (error.kind == ErrorKind::too_large) return add_refused(std::move(error));
    auto& sort = error.kind == ErrorKind::not_found ? missing : trouble;
    if (!sort) sort = std::move(error);
  }
  void add_refused(Error error) {
    if (!refused) refused = std::move(error);
  }
};

namespace {

Error first_of(std::initializer_list<std::optional<Error>> failures) {
  for (const auto& failure : failures)
    if (failure) return *failure;
  return {ErrorKind::internal, "no mirror was asked", ""};
}

}  // namespace

Mirrors::Mirrors(Fetcher& fetcher, const Limits& limits)
    : fetcher_(fetcher),
      slow_file_(limits.slow_file_ms),
      count_(std::clamp(fetcher.mirrors(), 1U, std::max(limits.mirrors_asked, 1U))) {}

Mirrors::Answer Mirrors::ask(std::uint32_t mirror, const std::string& path,
                             std::uint64_t max_bytes) {
  const auto before = fetcher_.spent();
  auto bytes = fetcher_.fetch(mirror, path, max_bytes);
  if (bytes && bytes->size() > max_bytes)
    bytes = fail(ErrorKind::too_large, fmt::format("{}: more than {} bytes", path, max_bytes));
  return {std::move(bytes), fetcher_.spent() - before >= slow_file_};
}

std::expected<Bytes, Mirrors::Failures> Mirrors::ask_all(const std::string& path,
                                                         std::uint64_t max_bytes,
                                                         const Accept& accept) {
  Failures failures;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uint32_t mirror = (next_ + i) % count_;
    auto [bytes, slow] = ask(mirror, path, max_bytes);
    if (bytes) {
      auto verdict = accept(*bytes);
      if (verdict) {
        prefer(mirror, slow);
        return *std::move(bytes);
      }
      failures.add_refused(std::move(verdict.error()));
    } else if (bytes.error().kind == ErrorKind::cancelled) {
      return std::unexpected(Failures{{}, {}, std::move(bytes.error())});
    } else {
      failures.add(std::move(bytes.error()));
    }
  }
  return std::unexpected(std::move(failures));
}

Result<Bytes> Mirrors::fetch(const std::string& path, std::uint64_t max_bytes,
                             const Accept& accept) {
  auto bytes = ask_all(path, max_bytes, accept);
  if (bytes) return *std::move(bytes);
  const auto& [refused, missing, trouble] = bytes.error();
  return fail(first_of({refused, missing, trouble}));
}

Result<Bytes> Mirrors::fetch_newest(const std::string& path, std::uint64_t max_bytes,
                                    const Rank& rank, const Accept& accept) {
  struct Candidate {
    std::uint32_t mirror = 0;
    bool slow = false;
    std::uint64_t rank = 0;
    Bytes bytes;
  };
  Failures failures;
  std::vector<Candidate> candidates;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uint32_t mirror = (next_ + i) % count_;
    auto [bytes, slow] = ask(mirror, path, max_bytes);
    if (bytes)
      candidates.push_back({mirror, slow, rank(*bytes), *std::move(bytes)});
    else if (bytes.error().kind == ErrorKind::cancelled)
      return bytes;
    else
      failures.add(std::move(bytes.error()));
  }
  std::ranges::stable_sort(candidates, std::ranges::greater(), &Candidate::rank);
  for (auto& candidate : candidates) {
    auto verdict = accept(candidate.bytes);
    if (!verdict) {
      failures.add_refused(std::move(verdict.error()));
      continue;
    }
    prefer(candidate.mirror, candidate.slow);
    return std::move(candidate.bytes);
  }
  return fail(first_of({failures.refused, failures.missing, failures.trouble}));
}

Result<Bytes> Mirrors::fetch_if_there(const std::string& path, std::uint64_t max_bytes,
                                      const Accept& accept) {
  auto bytes = ask_all(path, max_bytes, accept);
  if (bytes) return *std::move(bytes);
  const auto& [refused, missing, trouble] = bytes.error();
  return fail(first_of({missing, refused, trouble}));
}

}  // namespace shoal::trust
