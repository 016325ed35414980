// A publisher, a repository on the disk and one machine's agent, without any network.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <random>

#include "agent/agent.hpp"
#include "publish/repository.hpp"
#include "support/fake_edge.hpp"
#include "support/fake_swarm.hpp"
#include "support/run_until.hpp"
#include "support/temp_dir.hpp"

namespace shoal::test {

// As a web server reads a path: of what targets are named with, '@' alone comes percent-encoded.
inline std::string decoded(std::string path) {
  for (std::size_t at = 0; (at = path.find("%40", at)) != std::string::npos;)
    path.replace(at, 3, "@");
  return path;
}

// The web as the fetchers of one machine see it: every mirror has the repository's files.
struct FakeWeb {
  std::filesystem::path root;
  std::atomic<bool> down = false;  // nothing is reachable

  // "down", "lies" or "endless".
  void set_fault(const std::string& mirror, const std::string& fault) {
    std::scoped_lock lock(mutex);
    faults[mirror] = fault;
  }
  // "<mirror> <path>" of all requests since the last call.
  std::vector<std::string> take_requests() {
    std::scoped_lock lock(mutex);
    return std::exchange(requests, {});
  }
  Result<Bytes> get(const std::string& mirror, const std::string& path, std::uint64_t max_bytes) {
    std::unique_lock lock(mutex);
    requests.push_back(mirror + ' ' + path);
    auto answer = answer_of(mirror, path, max_bytes);
    released.wait(lock, [&] { return !holding; });
    return answer;
  }
  // While held, answers are made, of what is there then, and not given.
  void hold(bool on) {
    std::scoped_lock lock(mutex);
    holding = on;
    released.notify_all();
  }
  std::size_t requests_made() {
    std::scoped_lock lock(mutex);
    return requests.size();
  }

 private:
  Result<Bytes> answer_of(const std::string& mirror, const std::string& path,
                          std::uint64_t max_bytes) {
    const auto& fault = faults[mirror];
    if (down || fault == "down") return fail(ErrorKind::network, mirror + " is unreachable");
    auto bytes = read_file(root / decoded(path), max_bytes);
    if (bytes && fault == "endless")
      return fail(ErrorKind::too_large, fmt::format("GET {}: more than {} bytes", path, max_bytes));
    if (bytes && fault == "lies" && !bytes->empty()) bytes->front() ^= 1;
    return bytes;
  }

  std::mutex mutex;  // fetchers are used on jobs' threads
  std::condition_variable released;
  bool holding = false;
  std::map<std::string, std::string> faults;
  std::vector<std::string> requests;
};

struct FakeFetcher final : trust::Fetcher {
  FakeFetcher(FakeWeb& of_web, std::vector<std::string> urls)
      : web(of_web), bases(std::move(urls)) {}
  Result<Bytes> fetch(std::uint32_t mirror, const std::string& path,
                      std::uint64_t max_bytes) override {
    return web.get(bases.at(mirror), path, max_bytes);
  }
  std::uint32_t mirrors() const override { return static_cast<std::uint32_t>(bases.size()); }

  FakeWeb& web;
  std::vector<std::string> bases;
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
  // `files`: path -> bytes. `delta_from`: versions that deltas lead from.
  void release(const std::string& version, const std::map<std::string, std::string>& files,
               const std::string& product = "game",
               const std::vector<std::string>& delta_from = {}) {
    TempDir tree;
    for (const auto& [path, bytes] : files) tree.write(path, bytes);
    auto opened = publish::Repository::open(repository, environment);
    publish::ReleaseRequest request;
    request.tree = tree.path();
    request.build.product = product;
    request.build.version = version;
    request.channels = {"stable"};
    request.deltas.from = delta_from;
    auto made = opened->release(request, keys, pool);
    if (!made) throw std::runtime_error(made.error().describe());
  }
  std::string root_json() const { return read_text(repository / "root.json"); }
};

// The machine's clocks, of which the wall clock may be ahead or behind.
struct ShiftedClock final : Clock {
  std::atomic<std::chrono::seconds> shift{};
  UtcSeconds now() const override { return SystemClock().now() + shift.load(); }
  SteadyMs steady() const override { return SystemClock().steady(); }
};

// One run of a daemon over a state folder; several in turn share the folder.
struct Machine {
  explicit Machine(const Publisher& publisher, const TempDir& state,
                   transfer::Consent consent = transfer::Consent::denied,
                   install::StepHook step = {}, bool offline = false)
      : edge(loop, publisher.repository), swarm(loop), store(*store::Store::open(state / "state")) {
    std::filesystem::create_directories(state / "library");
    web.root = publisher.repository;
    web.down = offline;
    auto make_fetcher =
        [this](std::vector<std::string> urls) -> Result<std::unique_ptr<trust::Fetcher>> {
      return std::make_unique<FakeFetcher>(web, std::move(urls));
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
    web.hold(false);
    bool done = false;
    agent->shut_down([&] { done = true; });
    run_until(loop, [&] { return done; });
    jobs.reset();
    workers.reset();
  }

  static constexpr const char* kUrl = "http://cdn.example";

  Result<agent::RepositoryView> try_to_add_repository(const Publisher& publisher,
                                                      const std::string& url = kUrl) {
    std::optional<Result<agent::RepositoryView>> answer;
    agent->add_repository(url, publisher.root_json(),
                          [&](auto result) { answer = std::move(result); });
    if (!run_until(loop, [&] { return answer.has_value(); }))
      return fail(ErrorKind::internal, "no answer");
    return *answer;
  }
  void add_repository(const Publisher& publisher) {
    auto added = try_to_add_repository(publisher);
    ASSERT_TRUE(added) << added.error().describe();
  }
  // What the repositories have now; they are all refreshed.
  Result<std::vector<agent::ProductView>> products() {
    std::optional<Result<std::vector<agent::ProductView>>> answer;
    agent->products([&](auto result) { answer = std::move(result); });
    if (!run_until(loop, [&] { return answer.has_value(); }))
      return fail(ErrorKind::internal, "no answer");
    return *answer;
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

  FakeWeb web;  // the repository's metadata
  EventLoop loop;
  ShiftedClock clock;
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
