// Whole swarms of schedulers: finish time and edge bytes, against the fluid bound
//   copies >= max(1, L - sum of up_i * (T - t_i) / F).
// Each scenario prints its figures.
#include "swarm_sim.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace shoal::test {
namespace {

using transfer::Policy;

constexpr double kSize = 64.0 * (1 << 20);

// The copies that any scheduler needs that takes as long as this one did.
double bound_copies(const std::vector<SimClient>& clients, const SimResult& result) {
  double machines = 0;
  double uploaded = 0;
  double begin = 1e9;
  double end = 0;
  double least = 1;  // copy, unless a seed has it already
  for (std::size_t i = 0; i < clients.size(); ++i) {
    begin = std::min(begin, clients[i].join_s);
    end = std::max(end, clients[i].join_s + std::max(result.clients[i].finished_s, 0.0));
  }
  for (const auto& client : clients) {
    if (client.seed)
      least = 0;
    else
      ++machines;
    if (!client.consent) continue;
    double until = std::min(end, client.leave_s);
    double tires = std::clamp(client.tires_s, client.join_s, until);
    uploaded += (client.up * (tires - client.join_s) + client.up_later * (until - tires)) / kSize;
  }
  return std::max(least, machines - uploaded);
}

void print(const std::string& name, const std::vector<SimClient>& clients,
           const SimResult& result) {
  fmt::print(
      "{:<44} {:>6.1f} s  {:>5.2f} x size/download  {:>5.2f} copies (bound {:.2f}), "
      "{:.1f} s without a byte\n",
      name, result.slowest_s, result.slowest_ratio, result.copies, bound_copies(clients, result),
      result.longest_stall_s);
}

std::vector<SimClient> equal_clients(int count, double up_mbit, double down_mbit) {
  SimClient client;
  client.up = up_mbit * kMbit;
  client.down = down_mbit * kMbit;
  return std::vector<SimClient>(static_cast<std::size_t>(count), client);
}

SimResult run(const std::string& name, const SimOptions& options,
              const std::vector<SimClient>& clients) {
  auto result = simulate(options, clients);
  print(name, clients, result);
  EXPECT_TRUE(result.all_finished) << name;
  return result;
}

TEST(SwarmSim, six_equal_machines_pull_little_more_than_one_copy_at_full_speed) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SimOptions options;
    options.seed = seed;
    auto result = run("6 started together, up = down", options, equal_clients(6, 40, 40));
    EXPECT_LE(result.slowest_ratio, 1.2);
    EXPECT_LE(result.copies, 1.4);
  }
}

TEST(SwarmSim, thrifty_machines_pull_one_copy) {
  SimOptions options;
  options.policy = Policy::thrifty;
  auto result = run("6 started together, thrifty", options, equal_clients(6, 40, 40));
  EXPECT_LE(result.copies, 1.15);
  options.policy = Policy::balanced;
  run("6 started together, balanced", options, equal_clients(6, 40, 40));
}

TEST(SwarmSim, slow_uplinks_are_filled_up_by_the_edge) {
  SimOptions options;
  auto result = run("8 started together, up = down/4", options, equal_clients(8, 10, 40));
  EXPECT_LE(result.slowest_ratio, 1.5);
  EXPECT_LE(result.copies, 7.0);
  options.pieces = 512;
  options.piece_size = 1 << 20;
  auto clients = equal_clients(8, 10, 40);
  auto large = simulate(options, clients);
  fmt::print("{:<44} {:>6.1f} s  {:>5.2f} x size/download  {:>5.2f} copies (bound 6 at 1.00 x)\n",
             "the same with 512 MiB", large.slowest_s, large.slowest_ratio, large.copies);
}

TEST(SwarmSim, thrifty_machines_with_slow_uplinks_let_the_peers_do_it) {
  SimOptions options;
  options.policy = Policy::thrifty;
  auto result = run("8 started together, up = down/4, thrifty", options, equal_clients(8, 10, 40));
  EXPECT_LE(result.copies, 1.3);
}

TEST(SwarmSim, a_deadline_is_met_with_few_copies) {
  SimOptions options;
  options.policy = Policy::thrifty;
  options.deadline_s = 40;
  auto result = run("8 up = down/4, thrifty, deadline 40 s", options, equal_clients(8, 10, 40));
  EXPECT_LE(result.slowest_s, 42);
}

TEST(SwarmSim, behind_nats_the_edge_carries_everything) {
  SimOptions options;
  auto result = run("6 behind NAT", options, equal_clients(6, 0, 40));
  EXPECT_LE(result.slowest_ratio, 1.15);
  auto half = equal_clients(6, 40, 40);
  for (std::size_t i = 0; i < 3; ++i) half[i].up = 0;
  auto mixed = run("3 of 6 behind NAT", options, half);
  EXPECT_LE(mixed.slowest_ratio, 1.7);
  EXPECT_LE(mixed.copies, 4.5);
}

TEST(SwarmSim, those_who_join_later_find_most_among_peers) {
  auto clients = equal_clients(20, 40, 40);
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].join_s = 1.5 * static_cast<double>(i);
  SimOptions options;
  auto result = run("20 join over 30 s", options, clients);
  EXPECT_LE(result.slowest_ratio, 1.3);
  EXPECT_LE(result.copies, 3.5);
}

TEST(SwarmSim, a_seed_serves_and_its_leaving_is_made_up_for) {
  auto clients = equal_clients(6, 10, 40);
  SimClient seed;
  seed.seed = true;
  seed.up = 200 * kMbit;
  clients.push_back(seed);
  SimOptions options;
  run("6 up = down/4, a fast seed", options, clients);
  clients.back().leave_s = 8;
  auto result = run("the same, the seed leaves after 8 s", options, clients);
  EXPECT_LE(result.slowest_ratio, 1.6);
}

TEST(SwarmSim, when_all_others_leave_at_once_a_slow_edge_goes_on_without_a_pause) {
  auto clients = equal_clients(6, 40, 40);
  for (std::size_t i = 1; i < clients.size(); ++i) clients[i].leave_s = 6;
  SimOptions options;
  options.edge_up = 8 * kMbit;  // 1 MB/s for all together
  auto result = run("5 of 6 leave after 6 s, edge 8 Mbit/s", options, clients);
  EXPECT_LE(result.longest_stall_s, 3.5);
  // Whatever it had by then, the rest cannot come faster than the edge gives it.
  double alone_s = kSize / options.edge_up;
  EXPECT_LE(result.slowest_s, alone_s + 8);
  EXPECT_LE(result.copies, 1.15);
}

TEST(SwarmSim, a_seed_that_promises_everything_and_then_trickles_is_made_up_for) {
  auto clients = equal_clients(6, 10, 40);
  SimClient seed;
  seed.seed = true;
  seed.up = 200 * kMbit;
  seed.up_later = 0.2 * kMbit;
  seed.tires_s = 4;
  clients.push_back(seed);
  SimOptions options;
  auto result = run("the same, the seed trickles from 4 s on", options, clients);
  EXPECT_LE(result.longest_stall_s, 3.5);
  EXPECT_LE(result.slowest_ratio, 1.6);
  EXPECT_LE(result.copies, 4.5);
}

TEST(SwarmSim, one_whose_only_peer_trickles_goes_to_the_edge) {
  auto clients = equal_clients(1, 40, 40);
  SimClient seed;
  seed.seed = true;
  seed.up_later = 0.2 * kMbit;
  seed.tires_s = 5;
  clients.push_back(seed);
  SimOptions options;
  auto result = run("1, its only peer trickles from 5 s on", options, clients);
  EXPECT_LE(result.longest_stall_s, 3.5);
  EXPECT_LE(result.slowest_ratio, 1.5);
  EXPECT_LE(result.copies, 0.9);
  options.policy = Policy::thrifty;
  options.deadline_s = 60;
  auto thrifty = run("the same, thrifty, deadline 60 s", options, clients);
  EXPECT_LE(thrifty.slowest_s, 63);
}

TEST(SwarmSim, the_swarm_goes_on_while_the_edge_is_dead_and_then_waits_for_it) {
  SimOptions options;
  options.edge_dies_s = 1.0;  // before one copy is out
  options.edge_returns_s = 30;
  auto result =
      run("the edge dies after 1 s, returns after 30 s", options, equal_clients(6, 40, 40));
  EXPECT_LE(result.slowest_s, 50);
  EXPECT_LE(result.copies, 2.5);
  for (const auto& client : result.clients) EXPECT_TRUE(client.waited_for_source);
}

TEST(SwarmSim, the_swarm_finishes_alone_when_it_holds_every_piece) {
  SimOptions options;
  options.edge_dies_s = 8;
  options.edge_returns_s = 1e9;
  auto result = run("the edge dies after 8 s", options, equal_clients(6, 40, 40));
  EXPECT_LE(result.slowest_ratio, 1.6);
}

TEST(SwarmSim, a_capped_edge_is_spread_over_all) {
  SimOptions options;
  options.edge_up = 40 * kMbit;
  auto result = run("6 up = down, edge 40 Mbit/s", options, equal_clients(6, 40, 40));
  EXPECT_LE(result.copies, 2.0);
}

TEST(SwarmSim, a_machine_that_dies_is_made_up_for) {
  auto clients = equal_clients(6, 40, 40);
  clients[2].leave_s = 1.5;
  SimOptions options;
  auto result = run("one of 6 dies after 1.5 s", options, clients);
  EXPECT_LE(result.slowest_ratio, 1.7);
}

}  // namespace
}  // namespace shoal::test
