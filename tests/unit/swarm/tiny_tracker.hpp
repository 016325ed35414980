// An HTTP tracker for tests: remembers what it was asked, and answers with the peers set.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace shoal::test {

class TinyTracker {
 public:
  explicit TinyTracker(const std::string& address);
  ~TinyTracker();

  std::string url() const;
  // IPv4 addresses, all with the same port.
  void set_peers(std::vector<std::string> addresses, std::uint16_t port);
  // The request targets, "/announce?info_hash=…", in the order of their arrival.
  std::vector<std::string> requests() const;
  // True when some request holds the text.
  bool was_asked(const std::string& text) const;
  // Answers no more; connections stay open.
  void go_silent();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace shoal::test
