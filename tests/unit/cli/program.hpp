// A run of the program, and a terminal to run it on.
// it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "unit/api/api_harness.hpp"

namespace shoal::test {

// A run of the program, its output in files.
class Process {
 public:
  Process(const ApiHarness& harness, std::vector<std::string> words)
      : Process(harness.socket().string(), std::move(words)) {}
  // output: a file or a terminal; "" for a file of its own.
  Process(const std::string& socket, std::vector<std::string> words, std::string output = {}) {
    if (output.empty()) output = (folder_ / "out").string();
    words.insert(words.begin(), {SHOAL_PROGRAM, "--socket", socket});
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int flags = O_CREAT | O_WRONLY | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, (folder_ / "err").c_str(), flags, 0600);
    EXPECT_EQ(::posix_spawn(&pid_, SHOAL_PROGRAM, &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  void interrupt() const { ::kill(pid_, SIGINT); }
  // The exit code; -1 when a signal ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string out() const { return read_text(folder_ / "out"); }
  std::string err() const { return read_text(folder_ / "err"); }

 private:
  TempDir folder_;
  ::pid_t pid_ = -1;
};

// The other end of a terminal that the program writes to.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_EQ(::grantpt(master_.get()), 0);
    EXPECT_EQ(::unlockpt(master_.get()), 0);
  }
  std::string name() const { return ::ptsname(master_.get()); }
  // Reads until the text has come; false when it does not within ten seconds.
  bool read_until(std::string_view text) {
    while (shown_.find(text) == std::string::npos) {
      ::pollfd polled{master_.get(), POLLIN, 0};
      char buffer[4096];
      if (::poll(&polled, 1, 10'000) <= 0) return false;
      auto got = ::read(master_.get(), buffer, sizeof buffer);
      if (got <= 0) return false;
      shown_.append(buffer, static_cast<std::size_t>(got));
    }
    return true;
  }

 private:
  UniqueFd master_;
  std::string shown_;
};

// Waits for the change to be there, then changes it, and says so.
inline void with_change(ApiHarness& harness, const std::function<void(agent::Change&)>& how) {
  ASSERT_TRUE(harness.wait_until([&] { return !harness.service().change_list.empty(); }));
  harness.on_loop([&] {
    auto& change = harness.service().change_list.front();
    how(change);
    harness.service().tell("change", change.id);
  });
}

}  // namespace shoal::test
