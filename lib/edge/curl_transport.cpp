// One easy handle per request, reused. A body is refused at its first byte when the head is not
// what was asked for, and broken off at the first byte too many; so nothing a server does can cost
// more than the range. The download limit is one token bucket: a transfer that finds it empty is
// paused.
#include "edge/curl_transport.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace shoal::edge {
namespace {

constexpr long kReadBufferBytes = 128 * 1024;  // fewer calls than curl's 16 KiB, still small
constexpr std::size_t kMaxIdleHandles = 16;    // as many as run at once on a few mirrors
constexpr int kPausedPollMs = 20;              // how often the download limit is looked at

}  // namespace

struct CurlTransport::Transfer {
  RequestId id = 0;
  CurlTransport* transport = nullptr;
  EasyHandle handle;
  RangeRequest request;
  ResponseHead head;
  bool head_checked = false;
  bool paused = false;
  std::uint64_t received = 0;
  std::uint64_t quiet_since_ms = 0;
  std::optional<RequestFailure> failure;

  // False when the answer is not what was asked for.
  bool check_head() {
    if (head_checked) return !failure;
    head_checked = true;
    long status = 0;
    curl_off_t length = -1;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    head.status = static_cast<int>(status);
    head.content_length = length;
    failure = check_response(request, head);
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RETRY_AFTER, &retry_after_s);
    if (failure) failure->retry_after_ms = retry_after_ms(retry_after_s);
    return !failure;
  }
};

CurlTransport::CurlTransport(const RequestLimits& limits, const Clock& clock,
                             TransportEvents& events)
    : limits_(limits), clock_(clock), events_(events) {
  initialise_curl();
  multi_.reset(curl_multi_init());
}

CurlTransport::~CurlTransport() {
  for (auto& [id, transfer] : transfers_)
    curl_multi_remove_handle(multi_.get(), transfer->handle.get());
}

void CurlTransport::start(RequestId id, const RangeRequest& request) {
  auto transfer = std::make_unique<Transfer>();
  transfer->id = id;
  transfer->transport = this;
  transfer->request = request;
  transfer->quiet_since_ms = now_ms();
  if (idle_.empty()) {
    transfer->handle.reset(curl_easy_init());
    set_common_options(transfer->handle.get(), limits_, kReadBufferBytes);
  } else {
    transfer->handle = std::move(idle_.back());
    idle_.pop_back();
  }
  CURL* handle = transfer->handle.get();
  set_url(handle, request.url);
  auto range = fmt::format("{}-{}", request.range.begin, request.range.end - 1);
  curl_easy_setopt(handle, CURLOPT_RANGE, range.c_str());
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &CurlTransport::on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, transfer.get());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &CurlTransport::on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(handle, CURLOPT_PRIVATE, transfer.get());
  curl_multi_add_handle(multi_.get(), handle);
  transfers_.emplace(id, std::move(transfer));
}

void CurlTransport::abort(RequestId id) {
  auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(multi_.get(), found->second->handle.get());
  if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(found->second->handle));
  transfers_.erase(found);
}

void CurlTransport::set_download_limit(std::uint64_t bytes_per_s) {
  bucket_.set_limit(bytes_per_s);
}

std::uint64_t CurlTransport::silence_ms(RequestId id) const {
  auto found = transfers_.find(id);
  if (found == transfers_.end() || found->second->paused) return 0;
  return now_ms() - found->second->quiet_since_ms;
}

std::size_t CurlTransport::on_header(char* data, std::size_t size, std::size_t count,
                                     void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  read_header_line(transfer.head, {data, size * count});
  return size * count;
}

std::size_t CurlTransport::on_body(char* data, std::size_t size, std::size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  return transfer.transport->receive(transfer, as_bytes({data, size * count}));
}

std::size_t CurlTransport::receive(Transfer& transfer, ByteView bytes) {
  if (!transfer.check_head()) return CURL_WRITEFUNC_ERROR;
  if (!bucket_.may_receive(now_ms())) {
    transfer.paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  bucket_.take(bytes.size());
  std::uint64_t left = transfer.request.range.size() - transfer.received;
  auto wanted = bytes.first(std::min<std::uint64_t>(bytes.size(), left));
  transfer.received += wanted.size();
  auto silence_ms = now_ms() - std::exchange(transfer.quiet_since_ms, now_ms());
  if (!wanted.empty()) events_.request_bytes(transfer.id, wanted, silence_ms);
  if (wanted.size() == bytes.size()) return bytes.size();
  transfer.failure =
      RequestFailure{RequestFailure::Fault::mirror,
                     {ErrorKind::network,
                      fmt::format("GET {}: the body goes on after the {} bytes that were asked for",
                                  transfer.request.url, transfer.request.range.size()),
                      {}}};
  return CURL_WRITEFUNC_ERROR;
}

void CurlTransport::resume_paused() {
  for (auto& [id, transfer] : transfers_) {
    if (!transfer->paused) continue;
    if (!bucket_.may_receive(now_ms())) return;
    transfer->paused = false;
    transfer->quiet_since_ms = now_ms();
    curl_easy_pause(transfer->handle.get(), CURLPAUSE_CONT);  // may call receive() at once
  }
}

void CurlTransport::finish(Transfer& transfer, CURLcode code) {
  auto id = transfer.id;
  // The head is judged even without a body; and before what curl says, since it is what we refused.
  bool head_came = code == CURLE_OK || transfer.head_checked;
  if (head_came) transfer.check_head();
  auto failure = std::move(transfer.failure);
  if (!failure && code != CURLE_OK)
    failure = RequestFailure{RequestFailure::Fault::mirror, curl_error(code, transfer.request.url)};
  if (!failure && transfer.received != transfer.request.range.size())
    failure = RequestFailure{
        RequestFailure::Fault::mirror,
        {ErrorKind::network,
         fmt::format("GET {}: the body ended after {} of {} bytes", transfer.request.url,
                     transfer.received, transfer.request.range.size()),
         {}}};
  abort(id);
  events_.request_done(id, std::move(failure));
}

void CurlTransport::run_once(int timeout_ms) {
  bool paused = std::any_of(transfers_.begin(), transfers_.end(),
                            [](const auto& entry) { return entry.second->paused; });
  int running = 0;
  curl_multi_poll(multi_.get(), nullptr, 0,
                  paused ? std::min(timeout_ms, kPausedPollMs) : timeout_ms, nullptr);
  resume_paused();
  curl_multi_perform(multi_.get(), &running);
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    Transfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    finish(*transfer, code);
  }
}

void CurlTransport::wake() { curl_multi_wakeup(multi_.get()); }

}  // namespace shoal::edge
