// Range requests on curl's multi interface: all on one thread, except wake().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "edge/curl_handle.hpp"
#include "edge/range_response.hpp"
#include "edge/rates.hpp"

namespace shoal::edge {

using RequestId = std::uint64_t;

class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  // The next bytes of the range; never more than were asked for. `silence_ms`: how long they were
  // waited for; the time that our own limit held them up does not count.
  virtual void request_bytes(RequestId request, ByteView bytes, std::uint64_t silence_ms) = 0;
  // The whole range came, or the request failed. It is forgotten afterwards.
  virtual void request_done(RequestId request, std::optional<RequestFailure> failure) = 0;
};

class CurlTransport {
 public:
  CurlTransport(const RequestLimits& limits, const Clock& clock, TransportEvents& events);
  ~CurlTransport();

  void start(RequestId id, const RangeRequest& request);
  void abort(RequestId id);  // no further events for it; unknown: nothing happens
  void set_download_limit(std::uint64_t bytes_per_s);
  // How long it has been waiting for its next byte, as in request_bytes.
  std::uint64_t silence_ms(RequestId id) const;

  // Waits for the network, wake() or the time-out, and reports what happened.
  void run_once(int timeout_ms);
  void wake();  // any thread

 private:
  struct Transfer;
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* transfer);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* transfer);
  std::size_t receive(Transfer& transfer, ByteView bytes);
  void finish(Transfer& transfer, CURLcode code);
  void resume_paused();
  std::uint64_t now_ms() const { return static_cast<std::uint64_t>(clock_.steady().count()); }

  RequestLimits limits_;
  const Clock& clock_;
  TransportEvents& events_;
  TokenBucket bucket_;
  MultiHandle multi_;
  std::map<RequestId, std::unique_ptr<Transfer>> transfers_;
  std::vector<EasyHandle> idle_;  // kept, with their buffers, for the next requests
};

}  // namespace shoal::edge
