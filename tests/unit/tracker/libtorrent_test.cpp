// Interoperability: two real libtorrent sessions that only this tracker can bring together.
#include <gtest/gtest.h>

#include <atomic>
#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/settings_pack.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_info.hpp>
#include <libtorrent/torrent_status.hpp>
#include <random>
#include <thread>

#include "support/temp_dir.hpp"
#include "tracker/tracker.hpp"

namespace shoal::tracker {
namespace {

constexpr auto kDeadline = std::chrono::seconds(60);

lt::session make_session(const std::string& address) {
  lt::settings_pack pack;
  pack.set_str(lt::settings_pack::listen_interfaces, address + ":0");
  pack.set_str(lt::settings_pack::outgoing_interfaces, address);
  pack.set_bool(lt::settings_pack::enable_dht, false);
  pack.set_bool(lt::settings_pack::enable_lsd, false);
  pack.set_bool(lt::settings_pack::enable_upnp, false);
  pack.set_bool(lt::settings_pack::enable_natpmp, false);
  pack.set_bool(lt::settings_pack::enable_outgoing_utp, false);
  pack.set_bool(lt::settings_pack::enable_incoming_utp, false);
  pack.set_bool(lt::settings_pack::allow_multiple_connections_per_ip, true);
  return lt::session(lt::session_params(pack));
}

std::shared_ptr<lt::torrent_info> make_v2_torrent(const std::filesystem::path& file,
                                                  const std::string& announce_url) {
  lt::file_storage files;
  lt::add_files(files, file.string());
  lt::create_torrent torrent(files, 0, lt::create_torrent::v2_only);
  torrent.add_tracker(announce_url);
  lt::set_piece_hashes(torrent, file.parent_path().string());
  std::vector<char> bytes;
  lt::bencode(std::back_inserter(bytes), torrent.generate());
  return std::make_shared<lt::torrent_info>(bytes, lt::from_span);
}

lt::torrent_handle add(lt::session& session, const std::shared_ptr<lt::torrent_info>& info,
                       const std::filesystem::path& folder) {
  lt::add_torrent_params params;
  params.ti = std::make_shared<lt::torrent_info>(*info);
  params.save_path = folder.string();
  return session.add_torrent(params);
}

class StopAtEnd {
 public:
  explicit StopAtEnd(EventLoop& loop) : loop_(loop) {}
  ~StopAtEnd() { loop_.stop(); }

 private:
  EventLoop& loop_;
};

TEST(Libtorrent, ALeecherFindsTheSeedOfAV2TorrentThroughTheTracker) {
  shoal::test::TempDir dir;
  std::string content(3'000'000, '\0');
  std::mt19937_64 random(3);
  for (char& c : content) c = static_cast<char>(random());
  auto file = dir.write("seed/image", content);

  SystemClock clock;
  AllowList allowed({.repository = dir / "repository"});
  Tracker tracker({.interval_s = 2, .first_interval_s = 1}, clock, allowed, 1);
  std::atomic<bool> completed = false;  // a client said so
  EventLoop loop;
  http::Server server(
      loop, {}, [&](const http::Request& request, const std::shared_ptr<http::Responder>& to) {
        if (request.query("event") == "completed") completed = true;
        to->send(tracker.answer(request));
      });
  auto port = server.listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(port);
  auto info = make_v2_torrent(file, "http://127.0.0.1:" + std::to_string(*port) + "/announce");
  auto section = info->info_section();
  dir.write("repository/a.torrent", "d4:info" + std::string(section.begin(), section.end()) + "e");
  ASSERT_TRUE(allowed.read_repository());
  ASSERT_EQ(allowed.size(), 1u);
  std::jthread thread([&] { loop.run(); });
  StopAtEnd stop(loop);  // after the sessions have said goodbye, before the thread is joined

  auto seed = make_session("127.0.0.2");
  auto leecher = make_session("127.0.0.3");
  add(seed, info, dir / "seed");
  auto download = add(leecher, info, dir / "leecher");
  auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!completed && std::chrono::steady_clock::now() < deadline) {
    leecher.wait_for_alert(std::chrono::milliseconds(100));
    std::vector<lt::alert*> alerts;
    leecher.pop_alerts(&alerts);
  }
  EXPECT_TRUE(completed);
  EXPECT_TRUE(download.status().is_seeding);
}

}  // namespace
}  // namespace shoal::tracker
