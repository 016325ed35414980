// The terminal's display redraws its block of bars in place: cursor up, a line each, clear to the
// end of the line. A change that has ended leaves its final line above the block.
#include "cli/shoal/display.hpp"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

#include "cli/shoal/progress.hpp"

namespace shoal::cli {
namespace {

using protocol::Change;

constexpr SteadyMs kLineInterval{10'000};
constexpr std::size_t kDefaultColumns = 80;

class NoDisplay final : public Display {
 public:
  void update(const Change&) override {}
  void tick() override {}
  void say(const std::string&) override {}
};

class PlainDisplay final : public Display {
 public:
  PlainDisplay(const Clock& clock, Cause cause) : clock_(clock), cause_(cause) {}

  void update(const Change& change) override {
    auto [entry, fresh] = shown_.try_emplace(change.id);
    bool new_state = fresh || entry->second.change.state != change.state;
    entry->second.change = change;
    if (has_ended(change.state)) {
      shown_.erase(entry);
      print(final_line(change, cause_));
    } else if (new_state) {
      print_progress(entry->second);
    }
  }
  void tick() override {
    for (auto& [id, shown] : shown_)
      if (clock_.steady() - shown.last_line >= kLineInterval) print_progress(shown);
  }
  void say(const std::string& line) override { print(line); }

 private:
  struct Shown {
    Change change;
    SteadyMs last_line{};
  };
  void print_progress(Shown& shown) {
    shown.last_line = clock_.steady();
    print(plain_line(shown.change));
  }
  static void print(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }

  const Clock& clock_;
  const Cause cause_;
  std::map<std::string, Shown> shown_;
};

class TerminalDisplay final : public Display {
 public:
  explicit TerminalDisplay(Cause cause) : cause_(cause) {}
  ~TerminalDisplay() override { std::fflush(stdout); }

  void update(const Change& change) override {
    if (has_ended(change.state)) {
      running_.erase(change.id);
      draw(final_line(change, cause_));
    } else {
      running_[change.id] = change;
      draw("");
    }
  }
  void tick() override {}
  void say(const std::string& line) override { draw(line); }

 private:
  static constexpr const char* kClearLine = "\x1b[K";

  static std::size_t columns() {
    ::winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultColumns;
    return size.ws_col;
  }
  // Redraws the bars; the line, if any, stays above them.
  void draw(const std::string& line_above) {
    std::string text;
    if (drawn_ > 0) text += fmt::format("\x1b[{}A\r", drawn_);
    if (!line_above.empty()) text += line_above + kClearLine + "\n";
    for (const auto& [id, change] : running_)
      text += bar_line(change, columns() - 1) + kClearLine + "\n";
    text += "\x1b[J";  // what a longer block left below
    drawn_ = running_.size();
    fmt::print("{}", text);
    std::fflush(stdout);
  }

  const Cause cause_;
  std::map<std::string, Change> running_;
  std::size_t drawn_ = 0;
};

}  // namespace

std::unique_ptr<Display> make_display(bool json, const Clock& clock, Cause cause) {
  if (json) return std::make_unique<NoDisplay>();
  if (::isatty(STDOUT_FILENO) == 1) return std::make_unique<TerminalDisplay>(cause);
  return std::make_unique<PlainDisplay>(clock, cause);
}

}  // namespace shoal::cli
