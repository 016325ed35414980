// shoald: composes the parts and runs the main loop. SIGTERM and SIGINT stop it within seconds;
// what was staged stays and is found again.
#include <fmt/core.h>
#include <malloc.h>
#include <openssl/rand.h>
#include <signal.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>

#include "agent/agent.hpp"
#include "api/server.hpp"
#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "daemon/config.hpp"
#include "edge/edge_client.hpp"
#include "edge/http_fetcher.hpp"
#include "store/store.hpp"
#include "swarm/swarm.hpp"

namespace shoal::daemon {
namespace {

// Changes run two at a time, and as many in the background: each may keep a thread waiting for as
// long as its delta takes to arrive. Repositories refresh, and plans are made, beside them.
constexpr unsigned kJobThreads = 8;
// glibc gives each thread an arena and lets it grow: few arenas keep an idle daemon small.
constexpr int kMaxMallocArenas = 2;
// Pieces come and go by the hundred each second: their memory is used again rather than given back
// and faulted in anew, which cost a tenth of an install's processor time. arm_trim() returns it.
constexpr int kMmapThresholdBytes = 8 << 20;
constexpr int kTrimThresholdBytes = 16 << 20;
constexpr std::chrono::seconds kTrimEvery{60};
constexpr std::chrono::seconds kShutdownLimit{8};  // then we leave without waiting for jobs

std::uint64_t random_number() {
  std::uint64_t number = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number);
  return number;
}

// For the kill tests: SHOAL_TEST_KILL_AT names the step at which this process kills itself as
// abruptly as a power cut would.
install::StepHook kill_hook() {
  const char* step = std::getenv("SHOAL_TEST_KILL_AT");
  if (step == nullptr) return {};
  return [wanted = std::string(step)](std::string_view reached) {
    if (reached == wanted) ::raise(SIGKILL);
  };
}

Result<std::unique_ptr<swarm::Session>> open_swarm(const Config& config, std::uint64_t node,
                                                   Executor& main, Log& log) {
  swarm::SwarmOptions options;
  options.listen = config.listen;
  options.outgoing = config.outgoing;
  options.lan_discovery = config.lan_discovery;
  options.pex = config.pex;
  options.upnp = config.upnp;
  options.utp = config.utp;
  options.consent = config.consent.value_or(transfer::Consent::denied);
  options.user_agent = fmt::format("shoal/{}", SHOAL_VERSION);
  options.node = node;
  // Several clients on one machine, told apart by their loopback addresses only.
  options.allow_multiple_connections_per_ip = !config.outgoing.empty();
  return swarm::make_swarm(options, main, log);
}

agent::AgentOptions agent_options(const Config& config, std::uint64_t node) {
  agent::AgentOptions options;
  options.version = SHOAL_VERSION;
  options.libraries = config.libraries;
  options.listen = config.listen;
  options.node = node;
  options.consent = config.consent;
  options.policy = config.policy;
  options.dht = config.dht;
  if (config.keep_deltas) options.keep_deltas = *config.keep_deltas;
  if (config.upload_limit || config.download_limit)
    options.limits = {config.upload_limit.value_or(0), config.download_limit.value_or(0)};
  return options;
}

Result<void> make_folders(const Config& config) {
  SHOAL_TRY(make_directories(config.state, 0700));
  SHOAL_TRY(make_directories(config.socket.parent_path()));
  for (const auto& library : config.libraries) {
    auto made = make_directories(library);
    // A library on a disk that is not there now must not keep the others from working.
    if (!made) fmt::print(stderr, "shoald: {}\n", made.error().describe());
  }
  return {};
}

// Gives freed memory back to the system: after a change an idle daemon is small again.
void arm_trim(EventLoop& loop) {
  loop.after(kTrimEvery, [&loop] {
    ::malloc_trim(0);
    arm_trim(loop);
  });
}

// Stops in order: no new requests, changes keep what they have, then the loop ends.
void stop_on_signals(EventLoop& loop, agent::Agent& agent, api::ApiServer& api, Log& log) {
  loop.on_signal({SIGTERM, SIGINT}, [&](int number) {
    log.info("daemon", "stopping (signal {})", number);
    ::sd_notify(0, "STOPPING=1");
    auto parts = std::make_shared<int>(2);
    auto ended = [&loop, parts] {
      if (--*parts == 0) loop.stop();
    };
    api.drain(ended);
    agent.shut_down(ended);
    loop.after(kShutdownLimit, [&] {
      log.warning("daemon", "a step did not end in time; it will be done again at the next start");
      std::_Exit(0);
    });
  });
}

Result<void> run(const Config& config) {
  SHOAL_TRY(make_folders(config));
  Log log(config.log_level);
  SystemClock clock;
  SHOAL_ASSIGN(auto store, store::Store::open(config.state));
  EventLoop loop;
  StopToken stop;
  std::uint64_t node = random_number();
  auto workers = std::make_unique<WorkerPool>();
  auto jobs = std::make_unique<WorkerPool>(kJobThreads);
  SHOAL_ASSIGN(auto swarm, open_swarm(config, node, loop, log));
  edge::EdgeOptions edge_options;
  edge_options.seed = random_number();
  SHOAL_ASSIGN(auto edge, edge::make_edge(edge_options, loop, *workers, log));
  auto make_fetcher = [stop](std::vector<std::string> urls) {
    edge::HttpFetcherOptions options;
    options.base_urls = std::move(urls);
    return edge::make_http_fetcher(options, stop);
  };
  agent::Context context{loop,   loop,   *jobs, *workers,     clock,        log,
                         *store, *swarm, *edge, make_fetcher, config.state, kill_hook()};
  agent::Agent agent(context, agent_options(config, node));
  api::ApiOptions api_options;
  api_options.socket = config.socket;
  api_options.allowed_group = config.socket_group;
  api::ApiServer api(loop, agent, log, api_options);
  SHOAL_TRY(agent.start());
  SHOAL_TRY(api.listen());
  stop_on_signals(loop, agent, api, log);
  arm_trim(loop);
  log.info("daemon", "shoald {} answers at {}", SHOAL_VERSION, config.socket.string());
  ::sd_notify(0, "READY=1");
  loop.run();
  // Whatever still runs uses the agent's libraries: it ends before the agent does.
  stop.request_stop();
  jobs.reset();
  edge.reset();
  swarm.reset();
  workers.reset();
  return {};
}

}  // namespace
}  // namespace shoal::daemon

int main(int argc, char** argv) {
  using namespace shoal;
  ::mallopt(M_ARENA_MAX, daemon::kMaxMallocArenas);
  ::mallopt(M_MMAP_THRESHOLD, daemon::kMmapThresholdBytes);
  ::mallopt(M_TRIM_THRESHOLD, daemon::kTrimThresholdBytes);
  ::signal(SIGPIPE, SIG_IGN);
  auto parsed = daemon::parse_arguments(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  auto ran = daemon::run(parsed.config);
  if (ran) return 0;
  fmt::print(stderr, "shoald: {}\n", ran.error().describe());
  return 1;
}
