// From libtorrent's and the disk's threads to the main thread.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/executor.hpp"
#include "swarm/artifact_plugin.hpp"

namespace shoal::swarm {

// What arrives on the main thread.
class MailboxReader : public PluginEvents {
 public:
  virtual void store_failed(EntryId entry, Error error) = 0;
  virtual void piece_failed(EntryId entry, PieceIndex piece, bool from_peers) = 0;
  virtual void pieces_lost(EntryId entry, std::vector<PieceIndex> pieces, Error error) = 0;
  // A delivered piece is in the store; libtorrent is to be told.
  virtual void delivery_stored(EntryId entry, PieceIndex piece, std::vector<char> bytes) = 0;
  virtual void alerts_waiting() = 0;
};

// Any thread may call it; the reader gets the same call on the main thread, until it is closed.
class Mailbox final : public MailboxReader {
 public:
  Mailbox(Executor& main_thread, MailboxReader& reader)
      : main_thread_(main_thread), reader_(std::make_shared<MailboxReader*>(&reader)) {}
  // Main thread: nothing reaches the reader from now on.
  void close() { *reader_ = nullptr; }

  void torrent_ready(EntryId entry) override { forward(&MailboxReader::torrent_ready, entry); }
  void piece_passed(EntryId entry, PieceIndex piece, bool from_peers) override {
    forward(&MailboxReader::piece_passed, entry, piece, from_peers);
  }
  void piece_failed(EntryId entry, PieceIndex piece, bool from_peers) override {
    forward(&MailboxReader::piece_failed, entry, piece, from_peers);
  }
  void pieces_lost(EntryId entry, std::vector<PieceIndex> pieces, Error error) override {
    forward(&MailboxReader::pieces_lost, entry, std::move(pieces), std::move(error));
  }
  void torrent_view(EntryId entry, transfer::SwarmView view) override {
    forward(&MailboxReader::torrent_view, entry, std::move(view));
  }
  void store_failed(EntryId entry, Error error) override {
    forward(&MailboxReader::store_failed, entry, std::move(error));
  }
  void delivery_stored(EntryId entry, PieceIndex piece, std::vector<char> bytes) override {
    forward(&MailboxReader::delivery_stored, entry, piece, std::move(bytes));
  }
  void alerts_waiting() override { forward(&MailboxReader::alerts_waiting); }

 private:
  template <typename Method, typename... Args>
  void forward(Method method, Args... args) {
    main_thread_.post([reader = reader_, method, ... args = std::move(args)]() mutable {
      if (*reader) ((*reader)->*method)(std::move(args)...);
    });
  }

  Executor& main_thread_;
  // Shared with the tasks on their way; read and written on the main thread only.
  const std::shared_ptr<MailboxReader*> reader_;
};

}  // namespace shoal::swarm
