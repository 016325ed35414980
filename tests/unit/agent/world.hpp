// A publisher, a repository on the disk and one machine's agent, without any network.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <optional>
#include <random>

#include "agent/agent.hpp"
#include "publish/repository.hpp"
#include "support/fake_edge.hpp"
#include "support/fake_swarm.hpp"
#include "support/run_until.hpp"
#include "support/temp_dir.hpp"

namespace shoal::test {

// Reads the repository's files; `down`: nothing is reachable.
struct FileFetcher final : trust::Fetcher {
  std::filesystem::path root;
  const std::atomic<bool>* down = nullptr;
  Result<Bytes> fetch(const std::string& path, std::uint64_t max_bytes) override {
    if (*down) return fail(ErrorKind::network, "unreachable");
    return read_file(root / path, max_bytes);
  }
};

inline std::string random_text(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

struct Publisher {
  TempDir dir;
  std::filesystem::path repository = dir / "repo";
  publish::KeyStore keys{dir / "keys",
                         [](const auto&) { return fail(ErrorKind::wrong_passphrase, "none"); }};
  WorkerPool pool{2};
  publish::Environment environment{SystemClock().now(), {}, {}};

  explicit Publisher(const content::RepositoryInfo& info = {}) {
    auto made = publish::init_repository(repository, keys, true, info, environment);
    if (!made) throw std::runtime_error(made.error().describe());
  }
  // `files`: path -> bytes.
  void release(const std::string& version, const std::map<std::string, std::string>& files,
               const std::string& product = "game") {
    TempDir tree;
    for (const auto& [path, bytes] : files) tree.write(path, bytes);
    auto opened = publish::Repository::open(repository, environment);
    publish::ReleaseRequest request;
    request.tree = tree.path();
    request.build.product = product;
    request.build.version = version;
    request.channels = {"stable"};
    auto made = opened->release(request, keys, pool);
    if (!made) throw std::runtime_error(made.error().describe());
  }
  std::string root_json() const { return read_text(repository / "root.json"); }
};

// One run of a daemon over a state folder; several in turn share the folder.
struct Machine {
  explicit Machine(const Publisher& publisher, const TempDir& state,
                   transfer::Consent consent = transfer::Consent::denied,
                   install::StepHook step = {}, bool offline = false)
      : unreachable(offline),
        edge(loop, publisher.repository),
        swarm(loop),
        store(*store::Store::open(state / "state")) {
    std::filesystem::create_directories(state / "library");
    auto make_fetcher =
        [this, root = publisher.repository](auto) -> Result<std::unique_ptr<trust::Fetcher>> {
      auto fetcher = std::make_unique<FileFetcher>();
      fetcher->root = root;
      fetcher->down = &unreachable;
      return fetcher;
    };
    context.emplace(agent::Context{loop, loop, *jobs, *workers, clock, log, *store, swarm, edge,
                                   make_fetcher, state / "state", std::move(step)});
    agent::AgentOptions options;
    options.libraries = {state / "library"};
    options.consent = consent;
    options.node = 7;
    agent = std::make_unique<agent::Agent>(*context, options);
    auto started = agent->start();
    if (!started) throw std::runtime_error(started.error().describe());
  }
  ~Machine() {
    bool done = false;
    agent->shut_down([&] { done = true; });
    run_until(loop, [&] { return done; });
    jobs.reset();
    workers.reset();
  }

  void add_repository(const Publisher& publisher) {
    std::optional<Result<agent::RepositoryView>> answer;
    agent->add_repository("http://cdn.example", publisher.root_json(),
                          [&](auto result) { answer = std::move(result); });
    ASSERT_TRUE(run_until(loop, [&] { return answer.has_value(); }));
    ASSERT_TRUE(answer->has_value()) << answer->error().describe();
  }
  static agent::ChangeRequest request(agent::ChangeKind kind, const std::string& product = "game",
                                      agent::Priority priority = agent::Priority::foreground) {
    agent::ChangeRequest wanted;
    wanted.kind = kind;
    wanted.product = product;
    wanted.priority = priority;
    return wanted;
  }
  agent::Change view(const std::string& id) { return *agent->change(id); }
  bool reaches(const std::string& id, agent::ChangeState state) {
    return run_until(loop, [&] { return view(id).state == state; });
  }
  // Starts a change and waits for its end.
  agent::Change run(agent::ChangeKind kind) {
    auto started = agent->start(request(kind));
    if (!started) throw std::runtime_error(started.error().describe());
    run_until(loop, [&] {
      auto state = view(started->id).state;
      return state == agent::ChangeState::done || state == agent::ChangeState::failed;
    });
    return view(started->id);
  }

  std::atomic<bool> unreachable;  // the repository's metadata
  EventLoop loop;
  SystemClock clock;
  Log log{LogLevel::off};
  FakeEdge edge;
  FakeSwarm swarm;
  std::unique_ptr<store::Store> store;
  std::optional<agent::Context> context;
  std::unique_ptr<WorkerPool> workers = std::make_unique<WorkerPool>(2);
  std::unique_ptr<WorkerPool> jobs = std::make_unique<WorkerPool>(2);
  std::unique_ptr<agent::Agent> agent;
};

}  // namespace shoal::test
