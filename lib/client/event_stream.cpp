// A state of three: connected (read), broken (wait a little, connect again), given up.
#include "client/event_stream.hpp"

#include <algorithm>
#include <vector>

#include "protocol/codec.hpp"

namespace shoal::client {
namespace {

constexpr std::uint32_t kRetryMs = 200;      // between two tries to connect
constexpr std::uint32_t kAnswerMs = 10'000;  // for the head of the answer
constexpr std::size_t kMaxRefusalBytes = 64 << 10;

bool may_come_back(const Error& error) { return error.kind == ErrorKind::daemon_unreachable; }

}  // namespace

Result<std::optional<protocol::Event>> EventStream::next(std::uint32_t wait_ms) {
  Deadline deadline(wait_ms);
  while (ready_.empty()) {
    Result<void> step = connection_ ? receive(deadline) : connect();
    if (!step && !may_come_back(step.error())) return fail(step.error());
    if (!step) SHOAL_TRY(lost(step.error(), deadline));
    if (ready_.empty() && deadline.left_ms() == 0) return std::nullopt;
  }
  auto event = std::move(ready_.front());
  ready_.pop_front();
  last_id_ = event.id;
  return event;
}

Result<void> EventStream::connect() {
  SHOAL_ASSIGN(auto connection, Connection::open(options_.socket, options_.wake_fd));
  Deadline deadline(kAnswerMs);
  SHOAL_TRY(connection.send(request_text("GET", "/v1/events", "", last_id_), deadline));
  ResponseReader response(std::nullopt);
  std::size_t received = 0;
  while (!response.head_complete() || (response.status() != 200 && !response.complete())) {
    SHOAL_ASSIGN(auto bytes, connection.receive(deadline));
    received += bytes.size();
    if (bytes.empty() || received > kMaxRefusalBytes) {
      SHOAL_TRY(response.end());
      break;
    }
    SHOAL_TRY(response.feed(bytes));
  }
  if (response.status() != 200) {
    auto refusal = protocol::decode<Error>(response.take_body(), protocol::UnknownFields::ignore);
    if (refusal) return fail(std::move(*refusal));
    return fail(ErrorKind::internal, "the daemon refused the event stream without a reason");
  }
  connection_ = std::move(connection);
  response_ = std::move(response);
  parser_ = {};
  give_up_.reset();
  silence_.emplace(options_.silence_ms);
  std::vector<protocol::Event> events;
  SHOAL_TRY(parser_.feed(response_->take_body(), events));
  ready_.insert(ready_.end(), events.begin(), events.end());
  return {};
}

Result<void> EventStream::receive(const Deadline& deadline) {
  const Deadline& sooner = deadline.left_ms() < silence_->left_ms() ? deadline : *silence_;
  SHOAL_ASSIGN(bool readable, connection_->wait_readable(sooner));
  if (!readable) {
    if (silence_->left_ms() > 0) return {};
    return fail(ErrorKind::daemon_unreachable, "the daemon's event stream went silent");
  }
  SHOAL_ASSIGN(auto bytes, connection_->receive(Deadline(kAnswerMs)));
  if (bytes.empty())
    return fail(ErrorKind::daemon_unreachable, "the daemon closed the event stream");
  silence_.emplace(options_.silence_ms);
  SHOAL_TRY(response_->feed(bytes));
  std::vector<protocol::Event> events;
  SHOAL_TRY(parser_.feed(response_->take_body(), events));
  ready_.insert(ready_.end(), events.begin(), events.end());
  return {};
}

Result<void> EventStream::lost(Error error, const Deadline& deadline) {
  connection_.reset();
  if (!give_up_) give_up_.emplace(options_.give_up_ms);
  if (give_up_->left_ms() == 0) return fail(std::move(error));
  int pause = std::min({static_cast<int>(kRetryMs), deadline.left_ms(), give_up_->left_ms()});
  return pause_until(Deadline(static_cast<std::uint32_t>(pause)), options_.wake_fd);
}

}  // namespace shoal::client
