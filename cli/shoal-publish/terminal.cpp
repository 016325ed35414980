// The prompt talks to /dev/tty, so that stdin and stdout stay free for pipes, and puts the terminal
// back as it was. The bar is redrawn a few times a second at most.
#include "terminal.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/file.hpp"

namespace shoal::cli {
namespace {

constexpr std::size_t kMaxAnswerBytes = 1024;

// While a question stands, signals that end or stop a program wait until the terminal is as it was:
// their handler writes to a pipe that is watched beside the terminal, so that none is missed,
// whenever it comes and whichever thread takes it. They take their course once the question is
// over.
class Question {
 public:
  Question(int fd, bool echo) : fd_(fd) {
    if (::pipe2(wake_, O_CLOEXEC | O_NONBLOCK) == 0) catch_signals();  // else nothing is caught
    if (echo) {
      ::tcflush(fd_, TCIFLUSH);  // what was typed before the question does not answer it
      return;
    }
    if (::tcgetattr(fd_, &saved_) != 0) return;
    termios quiet = saved_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
  }
  ~Question() {
    if (changed_) ::tcsetattr(fd_, TCSAFLUSH, &saved_);
    if (!catching_) return;
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &saved_actions_[i], nullptr);
    for (int end : wake_) ::close(end);
    if (received != 0) ::raise(received);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  // False: the terminal is gone, or a signal came.
  bool read(char& c) const {
    std::array<pollfd, 2> watched = {pollfd{fd_, POLLIN, 0},
                                     pollfd{catching_ ? wake_[0] : -1, POLLIN, 0}};
    while (interrupted_by() == 0) {
      if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return false;
      if (interrupted_by() == 0 && watched[0].revents != 0) return ::read(fd_, &c, 1) == 1;
    }
    return false;
  }
  int interrupted_by() const { return catching_ ? received : 0; }  // 0: by nothing

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  static volatile std::sig_atomic_t received;
  static volatile std::sig_atomic_t wake_fd;

  void catch_signals() {
    received = 0;
    wake_fd = wake_[1];
    struct ::sigaction action{};
    action.sa_handler = [](int signal) {
      received = signal;
      [[maybe_unused]] auto written = ::write(wake_fd, "", 1);
    };
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], nullptr, &saved_actions_[i]);
      if (saved_actions_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
    catching_ = true;
  }

  int fd_;
  int wake_[2] = {-1, -1};
  bool catching_ = false;
  termios saved_{};
  bool changed_ = false;
  std::array<struct ::sigaction, kSignals.size()> saved_actions_{};
};
volatile std::sig_atomic_t Question::received = 0;
volatile std::sig_atomic_t Question::wake_fd = -1;

Result<void> write_text(int tty, std::string_view text) {
  if (::write(tty, text.data(), text.size()) < 0)
    return fail(system_error(errno, "write to", "the terminal"));
  return {};
}

// It may be a passphrase: what is not taken out of it is wiped.
struct Answer {
  Answer() { line.reserve(kMaxAnswerBytes + 1); }  // is not copied while it grows
  Answer(Answer&&) = default;
  Answer& operator=(Answer&&) = delete;
  ~Answer() { ::explicit_bzero(line.data(), line.size()); }

  std::string line;
  int interrupted_by = 0;
};

Result<Answer> ask_once(int tty, std::string_view question, bool echo) {
  Question standing(tty, echo);
  SHOAL_TRY(write_text(tty, question));
  Answer answer;
  char c = 0;
  while (standing.read(c) && c != '\n')
    if (answer.line.size() <= kMaxAnswerBytes) answer.line += c;
  answer.interrupted_by = standing.interrupted_by();
  if (!echo || answer.interrupted_by != 0) SHOAL_TRY(write_text(tty, "\n"));
  return answer;
}

// One line. What ends a program has ended this one by the time that a question is over, unless a
// handler thinks better of it; after Ctrl-Z and 'fg' the question is put again.
Result<std::string> ask(int tty, std::string_view question, bool echo) {
  while (true) {
    SHOAL_ASSIGN(auto answer, ask_once(tty, question, echo));
    if (answer.interrupted_by == SIGTSTP) continue;
    if (answer.interrupted_by != 0) return fail(ErrorKind::cancelled, "interrupted at a question");
    if (answer.line.size() > kMaxAnswerBytes)
      return fail(ErrorKind::invalid_request,
                  fmt::format("the answer is longer than {} bytes", kMaxAnswerBytes));
    return std::move(answer.line);
  }
}

}  // namespace

publish::AskPassphrase ask_passphrase(bool twice) {
  return [twice](const std::filesystem::path& key_file) -> Result<std::string> {
    if (const char* given = std::getenv("SHOAL_PASSPHRASE"); given != nullptr && *given != '\0')
      return std::string(given);
    UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC));
    if (!tty)
      return fail(ErrorKind::wrong_passphrase,
                  "the keys need a passphrase, and there is no terminal to ask for it",
                  "Set SHOAL_PASSPHRASE, or make keys with --no-passphrase.");
    SHOAL_ASSIGN(auto passphrase,
                 ask(tty.get(), fmt::format("Passphrase for {}: ", key_file.string()), false));
    if (passphrase.empty())
      return fail(ErrorKind::wrong_passphrase, "the passphrase is empty",
                  "Enter one, or make keys with --no-passphrase.");
    if (twice) {
      SHOAL_ASSIGN(auto again, ask(tty.get(), "The same again: ", false));
      const bool same = again == passphrase;
      ::explicit_bzero(again.data(), again.size());
      if (!same) {
        ::explicit_bzero(passphrase.data(), passphrase.size());
        return fail(ErrorKind::wrong_passphrase, "the two passphrases differ", "Try again.");
      }
    }
    return passphrase;
  };
}

Result<void> confirm(std::string_view question) {
  UniqueFd tty(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!tty)
    return fail(ErrorKind::invalid_request, "there is no terminal to ask whether to sign",
                "Read what is above, and give --yes.");
  std::fflush(stdout);
  SHOAL_ASSIGN(auto answer, ask(tty.get(), question, true));
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(ErrorKind::cancelled, "nothing was signed");
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

ProgressBar::ProgressBar(std::string_view label)
    : label_(label), enabled_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  constexpr auto kRedraw = std::chrono::milliseconds(200);
  constexpr int kWidth = 30;
  auto now = Clock::now();
  if (!enabled_ || total == 0 || (drawn_ && now - last_ < kRedraw && done < total)) return;
  last_ = now;
  drawn_ = true;
  double part = static_cast<double>(done) / static_cast<double>(total);
  double seconds = std::chrono::duration<double>(now - start_).count();
  auto rate = seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(done) / seconds) : 0;
  auto filled = static_cast<std::size_t>(part * kWidth);
  fmt::print(stderr, "\r\x1b[K{} [{}{}] {:3.0f} %  {} of {}  {}/s", label_,
             std::string(filled, '='), std::string(kWidth - filled, ' '), part * 100,
             human_bytes(done), human_bytes(total), human_bytes(rate));
}

void StageBars::update(std::string_view stage, std::uint64_t done, std::uint64_t total) {
  if (stage != stage_ || !bar_) {
    bar_.reset();
    bar_ = std::make_unique<ProgressBar>(stage);
    stage_ = stage;
  }
  bar_->update(done, total);
}

}  // namespace shoal::cli
