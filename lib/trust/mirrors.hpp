// One file from one mirror after another, until one gives bytes that are accepted: a mirror that
// lies, lags or is down costs a request and no more.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "trust/fetcher.hpp"
#include "trust/limits.hpp"

namespace shoal::trust {

class Mirrors {
 public:
  // The fetcher must outlive this. At most Limits::mirrors_asked of its mirrors are asked.
  Mirrors(Fetcher& fetcher, const Limits& limits);

  using Accept = std::function<Result<void>(ByteView)>;
  // The bytes that were accepted. Each mirror is asked once, beginning with the one whose bytes
  // were accepted last; or with the next, where those took long (Limits::slow_file_ms). Errors:
  // what the first mirror's bytes were refused for (too_large among it); where none gave any,
  // not_found if one says so; otherwise the first mirror's trouble; cancelled at once.
  Result<Bytes> fetch(const std::string& path, std::uint64_t max_bytes, const Accept& accept);
  // The same for a file that may well not exist. That one mirror says so (not_found) weighs more
  // than bytes that another gives in its place and that are refused: whoever serves such bytes
  // could have said that it is not there. So a mirror that answers everything with a page of its
  // own, or means to stop a client, stops nobody while another is honest.
  Result<Bytes> fetch_if_there(const std::string& path, std::uint64_t max_bytes,
                               const Accept& accept);
  // As fetch(), but all are asked before one is accepted, and the bytes of the highest rank are
  // tried first: of a file that changes, one mirror may have an older version.
  using Rank = std::function<std::uint64_t(ByteView)>;
  Result<Bytes> fetch_newest(const std::string& path, std::uint64_t max_bytes, const Rank& rank,
                             const Accept& accept);

  // Index of the mirror whose bytes were accepted last.
  std::uint32_t accepted() const { return accepted_; }

 private:
  struct Failures;
  std::expected<Bytes, Failures> ask_all(const std::string& path, std::uint64_t max_bytes,
                                         const Accept& accept);
  struct Answer {
    Result<Bytes> bytes;
    bool slow = false;
  };
  Answer ask(std::uint32_t mirror, const std::string& path, std::uint64_t max_bytes);
  void prefer(std::uint32_t mirror, bool slow) {
    accepted_ = mirror;
    next_ = (mirror + (slow ? 1 : 0)) % count_;
  }

  Fetcher& fetcher_;
  std::chrono::milliseconds slow_file_;
  std::uint32_t count_;
  std::uint32_t accepted_ = 0;
  std::uint32_t next_ = 0;  // is asked first
};

}  // namespace shoal::trust
