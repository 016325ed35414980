// Every piece is a lane of the job queue, so its writes, its hash and its reads happen in the order
// in which libtorrent asked, and a block that still waits to be written is read after it was.
// Results are posted to the network thread, where also the count of waiting bytes lives: it needs
// no lock. Each job holds a work guard, so the network thread cannot end before the job's result.
#include "swarm/image_disk.hpp"

#include <algorithm>
#include <cstring>
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/disk_observer.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/operations.hpp>
#include <libtorrent/peer_request.hpp>
#include <libtorrent/storage_defs.hpp>
#include <vector>

#include "base/asio.hpp"

namespace shoal::swarm {

void DiskState::put(EntryId entry, std::shared_ptr<StoredImage> image) {
  std::lock_guard lock(mutex_);
  images_[save_path(entry)] = {entry, std::move(image)};
}

void DiskState::remove(EntryId entry) {
  std::lock_guard lock(mutex_);
  images_.erase(save_path(entry));
}

std::pair<EntryId, std::shared_ptr<StoredImage>> DiskState::find(
    const std::string& save_path) const {
  const auto slash = save_path.find_last_of("/\\");
  std::lock_guard lock(mutex_);
  const auto found =
      images_.find(slash == std::string::npos ? save_path : save_path.substr(slash + 1));
  if (found == images_.end()) return {0, nullptr};
  return found->second;
}

namespace {

PieceIndex to_piece(lt::piece_index_t piece) {
  return PieceIndex(static_cast<std::uint32_t>(static_cast<int>(piece)));
}

MutableByteView to_bytes(char* data, std::size_t size) {
  return {reinterpret_cast<std::uint8_t*>(data), size};
}

lt::storage_error failure(lt::operation_t operation) {
  return {make_error_code(boost::system::errc::io_error), lt::file_index_t{0}, operation};
}

class ImageDisk final : public lt::disk_interface, private lt::buffer_allocator_interface {
 public:
  ImageDisk(lt::io_context& network, std::shared_ptr<DiskState> state)
      : network_(network), state_(std::move(state)) {}

  lt::storage_holder new_torrent(const lt::storage_params& params,
                                 const std::shared_ptr<void>& torrent) override;
  void remove_torrent(lt::storage_index_t storage) override;

  void async_read(lt::storage_index_t storage, const lt::peer_request& request,
                  std::function<void(lt::disk_buffer_holder, const lt::storage_error&)> handler,
                  lt::disk_job_flags_t flags) override;
  bool async_write(lt::storage_index_t storage, const lt::peer_request& request, const char* bytes,
                   std::shared_ptr<lt::disk_observer> observer,
                   std::function<void(const lt::storage_error&)> handler,
                   lt::disk_job_flags_t flags) override;
  void async_hash(
      lt::storage_index_t storage, lt::piece_index_t piece, lt::span<lt::sha256_hash> leaves,
      lt::disk_job_flags_t flags,
      std::function<void(lt::piece_index_t, const lt::sha1_hash&, const lt::storage_error&)>
          handler) override;
  void async_hash2(
      lt::storage_index_t storage, lt::piece_index_t piece, int offset, lt::disk_job_flags_t flags,
      std::function<void(lt::piece_index_t, const lt::sha256_hash&, const lt::storage_error&)>
          handler) override;
  void async_clear_piece(lt::storage_index_t storage, lt::piece_index_t piece,
                         std::function<void(lt::piece_index_t)> handler) override;

  // What is known to be there was told by the caller; libtorrent has nothing to check.
  void async_check_files(
      lt::storage_index_t, const lt::add_torrent_params*,
      lt::aux::vector<std::string, lt::file_index_t>,
      std::function<void(lt::status_t, const lt::storage_error&)> handler) override {
    reply(std::move(handler), lt::status_t::no_error, lt::storage_error());
  }

  // There are no files of libtorrent's to move, rename, delete or close.
  void async_move_storage(
      lt::storage_index_t, std::string path, lt::move_flags_t,
      std::function<void(lt::status_t, const std::string&, const lt::storage_error&)> handler)
      override {
    reply(std::move(handler), lt::status_t::no_error, std::move(path), lt::storage_error());
  }
  void async_rename_file(
      lt::storage_index_t, lt::file_index_t file, std::string name,
      std::function<void(const std::string&, lt::file_index_t, const lt::storage_error&)> handler)
      override {
    reply(std::move(handler), std::move(name), file, lt::storage_error());
  }
  void async_delete_files(lt::storage_index_t, lt::remove_flags_t,
                          std::function<void(const lt::storage_error&)> handler) override {
    reply(std::move(handler), lt::storage_error());
  }
  void async_set_file_priority(
      lt::storage_index_t, lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities,
      std::function<void(const lt::storage_error&,
                         lt::aux::vector<lt::download_priority_t, lt::file_index_t>)>
          handler) override {
    reply(std::move(handler), lt::storage_error(), std::move(priorities));
  }
  void async_release_files(lt::storage_index_t, std::function<void()> handler) override {
    if (handler) reply(std::move(handler));
  }
  void async_stop_torrent(lt::storage_index_t, std::function<void()> handler) override {
    if (handler) reply(std::move(handler));
  }

  void update_stats_counters(lt::counters&) const override {}
  std::vector<lt::open_file_state> get_status(lt::storage_index_t) const override { return {}; }
  void abort(bool wait) override {
    if (wait) state_->jobs.drain();
  }
  void submit_jobs() override {}
  void settings_updated() override {}

 private:
  struct Slot {
    EntryId entry = 0;
    std::shared_ptr<StoredImage> image;  // also held by each job: it outlives the slot
  };

  template <typename Handler, typename... Results>
  void reply(Handler handler, Results... results) {
    post(network_, [handler = std::move(handler), ... results = std::move(results)]() mutable {
      handler(std::move(results)...);
    });
  }

  // Runs `job(slot)` in the piece's lane.
  template <typename Job>
  void queue(lt::storage_index_t storage, PieceIndex piece, Job job) {
    Slot slot = slots_.at(static_cast<std::uint32_t>(storage));
    const JobQueue::Lane lane = DiskState::lane(slot.entry, piece);
    state_->jobs.push(lane, [slot = std::move(slot), job = std::move(job),
                             work = lt::make_work_guard(network_)]() mutable { job(slot); });
  }

  // The error for libtorrent, once the failure was reported to the session.
  lt::storage_error report(const Slot& slot, Error error, lt::operation_t operation) {
    state_->events.store_failed(slot.entry, std::move(error));
    return failure(operation);
  }

  void check_failed(const Slot& slot, PieceIndex piece);
  void written(std::size_t size);
  void free_disk_buffer(char* buffer) override { delete[] buffer; }

  lt::io_context& network_;
  const std::shared_ptr<DiskState> state_;
  // Network thread only:
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::size_t waiting_bytes_ = 0;
  std::vector<std::weak_ptr<lt::disk_observer>> waiting_peers_;
};

lt::storage_holder ImageDisk::new_torrent(const lt::storage_params& params,
                                          const std::shared_ptr<void>&) {
  auto [entry, image] = state_->find(params.path);
  std::uint32_t index = static_cast<std::uint32_t>(slots_.size());
  if (free_slots_.empty()) {
    slots_.emplace_back();
    free_slots_.reserve(slots_.size());  // so that remove_torrent cannot fail
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[index] = {entry, std::move(image)};
  return {lt::storage_index_t(index), *this};
}

void ImageDisk::remove_torrent(lt::storage_index_t storage) {
  const auto index = static_cast<std::uint32_t>(storage);
  slots_[index] = {};
  free_slots_.push_back(index);
}

// A read that fails is no failure of the artifact: libtorrent refuses the request, and the peer
// stays.
void ImageDisk::async_read(
    lt::storage_index_t storage, const lt::peer_request& request,
    std::function<void(lt::disk_buffer_holder, const lt::storage_error&)> handler,
    lt::disk_job_flags_t) {
  const PieceIndex piece = to_piece(request.piece);
  queue(storage, piece, [this, piece, request, handler = std::move(handler)](Slot& slot) mutable {
    const auto size = static_cast<std::size_t>(request.length);
    const lt::storage_error refusal = failure(lt::operation_t::file_read);
    if (slot.image->is_lost(piece))
      return reply(std::move(handler), lt::disk_buffer_holder(), refusal);
    lt::disk_buffer_holder buffer(*this, new char[size], request.length);
    auto read = slot.image->read(piece, static_cast<std::uint32_t>(request.start),
                                 to_bytes(buffer.data(), size));
    if (read) return reply(std::move(handler), std::move(buffer), lt::storage_error());
    if (auto lost = slot.image->lose(piece); !lost.empty())
      state_->events.pieces_lost(slot.entry, std::move(lost), std::move(read.error()));
    reply(std::move(handler), lt::disk_buffer_holder(), refusal);
  });
}

bool ImageDisk::async_write(lt::storage_index_t storage, const lt::peer_request& request,
                            const char* bytes, std::shared_ptr<lt::disk_observer> observer,
                            std::function<void(const lt::storage_error&)> handler,
                            lt::disk_job_flags_t) {
  const PieceIndex piece = to_piece(request.piece);
  if (slots_.at(static_cast<std::uint32_t>(storage)).image->is_delivered(piece)) {
    reply(std::move(handler), lt::storage_error());
    return false;
  }
  const auto block = static_cast<std::uint32_t>(request.start) / kBlockBytes;
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes);
  Bytes copy(first, first + request.length);
  waiting_bytes_ += copy.size();
  queue(storage, piece,
        [this, piece, block, copy = std::move(copy),
         handler = std::move(handler)](Slot& slot) mutable {
          auto done = slot.image->write_block(piece, block, copy);
          lt::storage_error error;
          if (!done) error = report(slot, std::move(done.error()), lt::operation_t::file_write);
          post(network_, [this, size = copy.size(), error, handler = std::move(handler)] {
            written(size);
            handler(error);
          });
        });
  if (waiting_bytes_ < state_->write_queue_bytes) return false;
  if (observer) waiting_peers_.push_back(observer);
  return true;
}

// Peers go on once half of the queue is written: not at each block, and not only when the disk
// has nothing left to do.
void ImageDisk::written(std::size_t size) {
  waiting_bytes_ -= size;
  if (waiting_peers_.empty() || waiting_bytes_ > state_->write_queue_bytes / 2) return;
  const auto peers = std::exchange(waiting_peers_, {});
  for (const auto& peer : peers) {
    if (const auto alive = peer.lock()) alive->on_disk();
  }
}

// `leaves` is memory that the handler owns: the handler is moved along, never copied.
void ImageDisk::async_hash(
    lt::storage_index_t storage, lt::piece_index_t piece, lt::span<lt::sha256_hash> leaves,
    lt::disk_job_flags_t flags,
    std::function<void(lt::piece_index_t, const lt::sha1_hash&, const lt::storage_error&)>
        handler) {
  const bool v1 = bool(flags & lt::disk_interface::v1_hash);
  queue(storage, to_piece(piece),
        [this, piece, leaves, v1, handler = std::move(handler)](Slot& slot) mutable {
          auto hashes = slot.image->hash_piece(to_piece(piece), v1);
          lt::storage_error error;
          lt::sha1_hash sha1;
          if (hashes) {
            const auto count =
                std::min(static_cast<std::size_t>(leaves.size()), hashes->leaves.size());
            for (std::size_t i = 0; i < count; ++i) {
              std::memcpy(leaves[static_cast<std::ptrdiff_t>(i)].data(),
                          hashes->leaves[i].bytes.data(), hashes->leaves[i].bytes.size());
            }
            std::memcpy(sha1.data(), hashes->v1.data(), hashes->v1.size());
          } else {
            error = report(slot, std::move(hashes.error()), lt::operation_t::file_read);
          }
          reply(std::move(handler), piece, sha1, error);
        });
}

void ImageDisk::async_hash2(
    lt::storage_index_t storage, lt::piece_index_t piece, int offset, lt::disk_job_flags_t,
    std::function<void(lt::piece_index_t, const lt::sha256_hash&, const lt::storage_error&)>
        handler) {
  queue(storage, to_piece(piece),
        [this, piece, offset, handler = std::move(handler)](Slot& slot) mutable {
          auto leaf = slot.image->hash_block(to_piece(piece), static_cast<std::uint32_t>(offset));
          lt::storage_error error;
          lt::sha256_hash hash;
          if (leaf) {
            std::memcpy(hash.data(), leaf->bytes.data(), leaf->bytes.size());
          } else {
            error = report(slot, std::move(leaf.error()), lt::operation_t::file_read);
          }
          reply(std::move(handler), piece, hash, error);
        });
}

// libtorrent's only call for every piece that fails: its plugins are not told of pieces in which no
// peer took part. The reply comes first, so that a piece delivered in answer finds the way clear.
void ImageDisk::async_clear_piece(lt::storage_index_t storage, lt::piece_index_t piece,
                                  std::function<void(lt::piece_index_t)> handler) {
  queue(storage, to_piece(piece), [this, piece, handler = std::move(handler)](Slot& slot) mutable {
    reply(std::move(handler), piece);
    check_failed(slot, to_piece(piece));
  });
}

void ImageDisk::check_failed(const Slot& slot, PieceIndex piece) {
  switch (slot.image->failed(piece)) {
    case StoredImage::Failure::of_peers:
      return state_->events.piece_failed(slot.entry, piece, true);
    case StoredImage::Failure::of_delivery:
      return state_->events.piece_failed(slot.entry, piece, false);
    case StoredImage::Failure::in_passing:
      break;
  }
  std::vector<char> bytes(slot.image->piece_size());
  auto read = slot.image->read(piece, 0, to_bytes(bytes.data(), bytes.size()));
  if (read)
    state_->events.delivery_stored(slot.entry, piece, std::move(bytes));
  else
    state_->events.store_failed(slot.entry, std::move(read.error()));
}

}  // namespace

std::unique_ptr<lt::disk_interface> make_image_disk(lt::io_context& network,
                                                    std::shared_ptr<DiskState> state) {
  return std::make_unique<ImageDisk>(network, std::move(state));
}

}  // namespace shoal::swarm
