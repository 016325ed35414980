// What libtorrent's network thread tells, told by hand.
#include "swarm/artifact_plugin.hpp"

#include <gtest/gtest.h>

#include <libtorrent/extensions.hpp>
#include <vector>

#include "base/asio.hpp"
#include "swarm_fakes.hpp"

namespace shoal::swarm {
namespace {

constexpr std::uint32_t kPieces = 4;

struct RecordedPluginEvents final : PluginEvents {
  int ready = 0;
  std::vector<PieceIndex> passed;
  void torrent_ready(EntryId) override { ++ready; }
  void piece_passed(EntryId, PieceIndex piece, bool) override { passed.push_back(piece); }
  void torrent_view(EntryId, transfer::SwarmView) override {}
};

struct ArtifactPluginTest : testing::Test {
  std::shared_ptr<RecordedPluginEvents> events = std::make_shared<RecordedPluginEvents>();
  std::shared_ptr<lt::torrent_plugin> make(transfer::PieceSet had) {
    const std::uint32_t missing = kPieces - had.count();
    return make_artifact_plugin(
        {.entry = 1,
         .piece_count = kPieces,
         .had = std::move(had),
         .missing = missing,
         .self_node = 7,
         .image = std::make_shared<StoredImage>(
             std::make_shared<test::MemoryStore>(kPieces * test::kBlock), test::kBlock, kPieces),
         .events = events});
  }
};

// libtorrent 2.0.11 says "files checked" while it still checks them, and drops the pieces that it
// is given until it is done.
TEST_F(ArtifactPluginTest, ATorrentIsReadyOnceItNoLongerChecksItsFiles) {
  const auto plugin = make(transfer::PieceSet(kPieces));
  plugin->on_files_checked();
  plugin->on_state(lt::torrent_status::checking_files);
  EXPECT_EQ(events->ready, 0);
  plugin->on_state(lt::torrent_status::downloading);
  plugin->on_files_checked();
  EXPECT_EQ(events->ready, 1);
  plugin->on_state(lt::torrent_status::finished);
  EXPECT_EQ(events->ready, 1);
}

TEST_F(ArtifactPluginTest, ATorrentThatLacksNothingIsReadyToo) {
  const auto plugin = make(transfer::PieceSet(kPieces, true));
  plugin->on_state(lt::torrent_status::finished);
  plugin->on_state(lt::torrent_status::seeding);
  EXPECT_EQ(events->ready, 1);
}

TEST_F(ArtifactPluginTest, PiecesThatLibtorrentWasToldOfAreNoNews) {
  transfer::PieceSet had(kPieces);
  had.add(PieceIndex(1));
  const auto plugin = make(had);
  plugin->on_piece_pass(lt::piece_index_t{1});
  plugin->on_piece_pass(lt::piece_index_t{2});
  EXPECT_EQ(events->passed, std::vector{PieceIndex(2)});
}

}  // namespace
}  // namespace shoal::swarm
