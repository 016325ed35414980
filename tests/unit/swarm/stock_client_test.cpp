// Ours beside a plain libtorrent session with its own disk layer: any client can take part.
#include <gtest/gtest.h>

#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>

#include "base/asio.hpp"
#include "support/temp_dir.hpp"
#include "swarm_fakes.hpp"

namespace shoal {
namespace {

using test::kBlock;
using test::MemoryStore;

constexpr std::uint32_t kPieceSize = 4 * kBlock;

struct StockClient {
  test::TempDir folder;
  std::unique_ptr<lt::session> session;
  lt::torrent_handle torrent;

  StockClient(int number, const test::TestTorrent& described) {
    lt::settings_pack settings;
    const std::string address = test::node_address(number);
    settings.set_str(lt::settings_pack::listen_interfaces,
                     address + ":" + std::to_string(test::kNodePort));
    settings.set_str(lt::settings_pack::outgoing_interfaces, address);
    for (int discovery : {lt::settings_pack::enable_dht, lt::settings_pack::enable_lsd,
                          lt::settings_pack::enable_upnp, lt::settings_pack::enable_natpmp,
                          lt::settings_pack::enable_outgoing_utp})
      settings.set_bool(discovery, false);
    settings.set_bool(lt::settings_pack::allow_multiple_connections_per_ip, true);
    session = std::make_unique<lt::session>(lt::session_params(settings));
    lt::add_torrent_params params;
    params.ti = std::make_shared<lt::torrent_info>(
        lt::span<const char>(reinterpret_cast<const char*>(described.torrent.data()),
                             static_cast<std::ptrdiff_t>(described.torrent.size())),
        lt::from_span);
    params.save_path = folder.path().string();
    torrent = session->add_torrent(std::move(params));
  }
  bool complete() const { return torrent.status().is_seeding; }
};

class StockClientTest : public testing::TestWithParam<bool> {
 protected:
  test::ManualExecutor main_;
  Log log_{LogLevel::warning};
  test::TestTorrent torrent_ =
      test::make_test_torrent(32 * kPieceSize, kPieceSize, 5, /*hybrid=*/GetParam());
};

TEST_P(StockClientTest, LeechesFromUs) {
  auto ours = test::make_node(test::node_options(2), 2, main_, log_);
  ours->store = std::make_shared<MemoryStore>(torrent_.image);
  ASSERT_TRUE(
      ours->swarm->add(torrent_.id, test::describe(torrent_, ours->store, true), ours->events));
  StockClient stock(3, torrent_);
  stock.torrent.connect_peer({lt::make_address(ours->address), test::kNodePort});
  ASSERT_TRUE(main_.run_until([&] { return stock.complete(); }));
  const auto file = stock.folder / "test-5.image";
  stock.session.reset();
  EXPECT_EQ(to_bytes(test::read_text(file)), torrent_.image);
}

TEST_P(StockClientTest, SeedsToUs) {
  StockClient stock(3, torrent_);
  stock.folder.write("test-5.image", as_text(torrent_.image));
  stock.torrent.force_recheck();
  ASSERT_TRUE(main_.run_until([&] { return stock.complete(); }));
  auto ours = test::make_node(test::node_options(2), 2, main_, log_);
  ours->store = std::make_shared<MemoryStore>(torrent_.image.size());
  ASSERT_TRUE(
      ours->swarm->add(torrent_.id, test::describe(torrent_, ours->store, false), ours->events));
  ASSERT_TRUE(ours->swarm->connect_peer(torrent_.id, test::node_address(3), test::kNodePort));
  ASSERT_TRUE(main_.run_until([&] { return ours->events.from_peers.size() == torrent_.pieces(); }));
  EXPECT_EQ(ours->store->bytes(), torrent_.image);
}

INSTANTIATE_TEST_SUITE_P(Kinds, StockClientTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "hybrid" : "v2"; });

}  // namespace
}  // namespace shoal
