// An edge without a network: reads bundles from a repository on the disk, with faults to set.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "content/edge_index.hpp"
#include "transfer/edge.hpp"

namespace shoal::test {

struct FakeEdge final : transfer::Edge {
  FakeEdge(Executor& main_thread, std::filesystem::path repository_dir)
      : main(main_thread), repository(std::move(repository_dir)) {}

  // Faults.
  bool down = false;                         // every request fails
  std::size_t pieces_until_down = SIZE_MAX;  // then `down`
  ErrorKind failure = ErrorKind::network;
  bool hold = false;  // answer nothing until release()
  std::vector<transfer::MirrorStatus> mirror_statuses;

  // What was asked.
  std::vector<PieceIndex> fetched;
  std::uint64_t frames_fetched = 0;
  std::uint64_t wire_bytes = 0;

  transfer::EdgeHandle add(const transfer::ArtifactId& artifact, transfer::EdgeArtifact description,
                           transfer::EdgeEvents& listener) override {
    const transfer::EdgeHandle handle{++last_handle};
    artifacts[handle] = {artifact, std::move(description), &listener};
    return handle;
  }
  void remove(transfer::EdgeHandle artifact) override { artifacts.erase(artifact); }
  void fetch(transfer::EdgeHandle artifact, const std::vector<Want>& wants) override {
    for (const auto& want : wants) {
      in_flight.insert({artifact, want.piece});
      if (hold) {
        held.emplace_back(artifact, want);
        continue;
      }
      main.post([this, artifact, want] { answer(artifact, want); });
    }
  }
  void cancel(transfer::EdgeHandle artifact, const std::vector<PieceIndex>& pieces) override {
    for (auto piece : pieces) in_flight.erase({artifact, piece});
  }
  void release() {
    hold = false;
    for (const auto& [artifact, want] : std::exchange(held, {})) answer(artifact, want);
  }
  // The artifacts that pieces are being fetched of now.
  std::set<transfer::ArtifactId> busy() const {
    std::set<transfer::ArtifactId> ids;
    for (const auto& [handle, piece] : in_flight)
      if (auto found = artifacts.find(handle); found != artifacts.end())
        ids.insert(found->second.artifact);
    return ids;
  }
  void set_download_limit(std::uint64_t) override {}
  std::vector<transfer::MirrorStatus> mirrors() const override { return mirror_statuses; }
  std::uint64_t download_bytes_per_s(transfer::EdgeHandle) const override { return 0; }
  std::uint64_t received_bytes(transfer::EdgeHandle) const override { return wire_bytes; }

 private:
  struct Entry {
    transfer::ArtifactId artifact;
    transfer::EdgeArtifact description;
    transfer::EdgeEvents* listener;
  };

  void answer(transfer::EdgeHandle handle, const Want& want) {
    auto found = artifacts.find(handle);
    if (in_flight.erase({handle, want.piece}) == 0 || found == artifacts.end()) return;
    const auto id = found->second.artifact;
    if (pieces_until_down == 0) down = true;
    if (down) {
      found->second.listener->edge_failed(id, want.piece, {failure, "the edge is down", {}}, 50);
      return;
    }
    --pieces_until_down;
    fetched.push_back(want.piece);
    const auto& index = *found->second.description.index;
    const auto& location = index.pieces[want.piece.value()];
    Bytes piece(index.piece_size);
    auto store = found->second.description.store;
    (void)store->read(std::uint64_t{want.piece.value()} * index.piece_size, piece);
    std::uint64_t wire = 0;
    std::uint64_t offset = location.offset;
    auto bundle = read_file(repository / content::bundle_path(index.bundles[location.bundle]),
                            content::kMaxBundleBytes);
    for (std::size_t i = 0; i < location.frames.size(); ++i) {
      const auto& frame = location.frames[i];
      if (bundle && (want.frames >> i & 1) != 0) {
        wire += frame.stored_size;
        ++frames_fetched;
        (void)content::decompress_frame(
            frame, ByteView(*bundle).subspan(offset, frame.stored_size),
            MutableByteView(piece).subspan(i * index.frame_size, index.frame_size));
      }
      offset += frame.stored_size;
    }
    wire_bytes += wire;
    found->second.listener->edge_piece(id, want.piece, std::move(piece), wire);
  }

  Executor& main;
  std::filesystem::path repository;
  std::uint64_t last_handle = 0;
  std::map<transfer::EdgeHandle, Entry> artifacts;
  std::set<std::pair<transfer::EdgeHandle, PieceIndex>> in_flight;
  std::vector<std::pair<transfer::EdgeHandle, Want>> held;
};

}  // namespace shoal::test
