// What a line says follows from the change's state: a waiting change says for what, a failed one
// why.
#include "cli/shoal/progress.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "cli/shoal/text.hpp"
#include "cli/usage/sanitised.hpp"

namespace shoal::cli {
namespace {

using protocol::Change;
using protocol::ChangeState;

constexpr std::size_t kBarWidth = 24;
constexpr std::string_view kNothingToDo = "nothing_to_do";  // a note about the change as a whole
constexpr std::size_t kMaxNameWidth = 40;  // a long name must not push the figures out

std::string title(const Change& change) {
  std::string text = fmt::format("{} {}", name_of(change.kind), sanitised(change.product));
  if (!change.version.empty()) text += " " + sanitised(change.version);
  return text;
}

const protocol::Task* running_task(const Change& change) {
  for (const auto& task : change.tasks)
    if (task.state == protocol::TaskState::running) return &task;
  return nullptr;
}

// Its progress is that of `bytes`.
bool counts_fetched(const protocol::Task& task) {
  return task.kind == protocol::TaskKind::fetch || task.kind == protocol::TaskKind::delta;
}

bool is_fetching(const Change& change) {
  const auto* task = running_task(change);
  return change.state == ChangeState::running && task != nullptr && counts_fetched(*task);
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return 0;
  return std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
}

std::string percent(double fraction) {
  return fmt::format("{}%", static_cast<int>(fraction * 100));
}

std::uint64_t rate(const Change& change) {
  return change.edge_bytes_per_s + change.peers_bytes_per_s;
}

// Where the bytes came from so far, in parts of what is there.
std::string source_mix(const Change& change) {
  std::uint64_t sum = change.bytes.edge + change.bytes.peers + change.bytes.reused;
  if (sum == 0) return "";
  return fmt::format("edge {} peers {} reused {}", percent(ratio(change.bytes.edge, sum)),
                     percent(ratio(change.bytes.peers, sum)),
                     percent(ratio(change.bytes.reused, sum)));
}

std::string with_reason(std::string text, const std::string& reason) {
  if (!reason.empty()) text += ": " + sanitised(reason);
  return text;
}

// Cuts by code points, so that no character is halved.
std::string cut(const std::string& text, std::size_t columns) {
  std::size_t shown = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (shown++ == columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

double fraction_done(const Change& change) {
  if (change.state == ChangeState::done) return 1;
  // What follows the fetch is short, and a bar that goes back to its beginning tells nobody so.
  bool has_delta = false;
  for (const auto& task : change.tasks) {
    bool done = task.state == protocol::TaskState::done;
    if (task.kind == protocol::TaskKind::fetch && done) return 1;
    has_delta |= task.kind == protocol::TaskKind::delta && done && task.total_bytes > 0;
  }
  const auto* task = running_task(change);
  bool fetching = task == nullptr || counts_fetched(*task) || has_delta;
  if (fetching && change.bytes.total > 0) return ratio(change.bytes.fetched, change.bytes.total);
  return task == nullptr ? 0 : ratio(task->done_bytes, task->total_bytes);
}

std::string activity(const Change& change) {
  const auto* task = running_task(change);
  if (change.state != ChangeState::running || task == nullptr)
    return std::string(name_of(change.state));
  return std::string(name_of(task->kind));
}

std::string bar_line(const Change& change, std::size_t columns) {
  double fraction = fraction_done(change);
  auto filled = static_cast<std::size_t>(fraction * kBarWidth);
  std::string line = fmt::format("{}  {:<8}  [{}{}]  {:>4}", cut(title(change), kMaxNameWidth),
                                 activity(change), std::string(filled, '#'),
                                 std::string(kBarWidth - filled, '.'), percent(fraction));
  if (change.state == ChangeState::waiting) {
    line = with_reason(line + "  waiting", change.waiting_for);
  } else if (is_fetching(change)) {
    if (rate(change) > 0) line += "  " + human_rate(rate(change));
    if (change.eta_s) line += "  ETA " + human_duration(*change.eta_s);
  }
  if (auto mix = source_mix(change); !mix.empty()) line += "  " + mix;
  return cut(line, columns);
}

std::string plain_line(const Change& change) {
  std::string line = title(change) + ": " + activity(change);
  if (change.state == ChangeState::waiting) line = with_reason(line, change.waiting_for);
  if (change.state == ChangeState::running && fraction_done(change) > 0)
    line += " " + percent(fraction_done(change));
  if (is_fetching(change)) {
    if (change.bytes.total > 0)
      line += fmt::format(", {} of {}", human_bytes(change.bytes.fetched),
                          human_bytes(change.bytes.total));
    if (rate(change) > 0) line += ", " + human_rate(rate(change));
    if (change.eta_s) line += ", ETA " + human_duration(*change.eta_s);
  }
  const auto& bytes = change.bytes;
  if (bytes.total + bytes.edge + bytes.peers + bytes.reused == 0) return line;
  line += fmt::format(", edge {}, peers {}, reused {}", human_bytes(bytes.edge),
                      human_bytes(bytes.peers), human_bytes(bytes.reused));
  return line;
}

std::string final_line(const Change& change, Cause cause) {
  std::string line =
      fmt::format("{}: {} in {:.1f} s", title(change), name_of(change.state), change.seconds);
  if (change.error && cause == Cause::in_the_line)
    line = with_reason(std::move(line), change.error->message);
  const auto& bytes = change.bytes;
  for (const auto& note : change.notes)
    if (note.path.empty() && note.note == kNothingToDo) return title(change) + ": nothing to do";
  bool counts = bytes.edge + bytes.peers + bytes.reused + bytes.written > 0;
  if (!counts) return line;
  std::string made;
  if (bytes.delta > 0) made = ", " + human_bytes(bytes.delta) + " made by a delta";
  return line + fmt::format(" ({} from the edge, {} from peers, {} reused{}, {} written)",
                            human_bytes(bytes.edge), human_bytes(bytes.peers),
                            human_bytes(bytes.reused), made, human_bytes(bytes.written));
}

}  // namespace shoal::cli
