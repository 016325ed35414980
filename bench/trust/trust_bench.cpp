// What trust costs a client: processor time, memory, requests. A repository of many products is
// written to a folder once; each measurement is a process of its own (this program again), so that
// its peak of memory is its own, and reads that folder as it would a web server.
//
//   trust_bench [PRODUCTS [TARGETS]]     1,000 products with 20,000 targets unless said otherwise
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <vector>

#include "base/file.hpp"
#include "trust/signing.hpp"
#include "trust/updater.hpp"

namespace {

using namespace shoal;
namespace fs = std::filesystem;

constexpr UtcSeconds kNow{std::chrono::seconds(1'800'000'000)};
constexpr UtcSeconds kExpires = kNow + std::chrono::days(30);
constexpr int kRuns = 9;  // the median counts
constexpr std::uint64_t kMaxFileBytes = 64 << 20;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "trust_bench: {}\n", why);
  std::exit(1);
}
template <typename T>
T need(Result<T> result) {
  if (!result) give_up(result.error().describe());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

class FolderFetcher final : public trust::Fetcher {
 public:
  explicit FolderFetcher(fs::path root) : root_(std::move(root)) {}
  Result<Bytes> fetch(std::uint32_t, const std::string& path, std::uint64_t max_bytes) override {
    ++requests;
    SHOAL_ASSIGN(auto body, read_file(root_ / path, max_bytes));
    bytes += body.size();
    return body;
  }
  std::uint64_t requests = 0, bytes = 0;

 private:
  fs::path root_;
};

std::string product_name(std::size_t i) { return fmt::format("product-{:05}", i); }

// The repository as shoal-publish lays it out: one delegated role and one key for each product.
void make_repository(const fs::path& root, std::size_t products, std::size_t targets) {
  fs::create_directories(root / "metadata");
  fs::create_directories(root / "targets");
  auto write = [&](const std::string& name, ByteView bytes) {
    std::ofstream(root / name, std::ios::binary) << as_text(bytes);
  };
  const auto top = trust::SigningKey::generate();
  const trust::SigningKey* signers[] = {&top};
  trust::Root root_body;
  root_body.version = 1;
  root_body.expires = kExpires;
  root_body.keys[top.id()] = top.public_key();
  for (auto* role :
       {&root_body.root, &root_body.timestamp, &root_body.snapshot, &root_body.targets})
    *role = {{top.id()}, 1};
  trust::Targets top_level;
  top_level.version = 1;
  top_level.expires = kExpires;
  trust::Snapshot snapshot;
  snapshot.version = 1;
  snapshot.expires = kExpires;
  const Bytes channels = to_bytes("{}");
  const auto digest = sha256(channels);
  for (std::size_t i = 0; i < products; ++i) {
    const auto name = product_name(i);
    const auto key = trust::SigningKey::generate();
    top_level.keys[key.id()] = key.public_key();
    top_level.delegations.push_back(
        {name, {{key.id()}, 1}, {name + "/*", name + "/*/*"}, {}, true});
    trust::Targets body;
    body.version = 1;
    body.expires = kExpires;
    body.targets[name + "/channels.json"] = trust::describe_target(channels);
    for (std::size_t k = 1; k < targets / products; ++k)
      body.targets[fmt::format("{}/1.{}/release.json", name, k)] =
          trust::describe_target(to_bytes(fmt::format("{}-{}", i, k)));
    const trust::SigningKey* signer[] = {&key};
    const auto bytes = trust::sign_targets(body, signer);
    snapshot.meta[name] = trust::describe_metadata(bytes, 1);
    write(fmt::format("metadata/1.{}.json", name), bytes);
    fs::create_directories(root / "targets" / name);
    write(fmt::format("targets/{}/{}.channels.json", name, digest.hex()), channels);
  }
  const auto top_bytes = trust::sign_targets(top_level, signers);
  snapshot.meta["targets"] = trust::describe_metadata(top_bytes, 1);
  const auto snapshot_bytes = trust::sign_snapshot(snapshot, signers);
  trust::Timestamp timestamp{1, kExpires, trust::describe_metadata(snapshot_bytes, 1)};
  write("metadata/1.root.json", trust::sign_root(root_body, signers));
  write("metadata/1.targets.json", top_bytes);
  write("metadata/1.snapshot.json", snapshot_bytes);
  write("metadata/timestamp.json", trust::sign_timestamp(timestamp, signers));
  // A role with more signatures than anybody needs, as somebody hostile would make it.
  std::vector<trust::Signature> many;
  for (int i = 0; i < 100'000; ++i)
    many.push_back({sha256(to_bytes(std::to_string(i))).hex(), Bytes(64, 1)});
  write("many-signatures.json",
        trust::join_signatures(trust::signed_bytes_of(trust::Targets{1, kExpires, {}, {}, {}}),
                               many));
}

double cpu_ms(int who) {
  struct ::rusage usage{};
  ::getrusage(who, &usage);
  auto ms = [](const ::timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1e3;
  return 0;
}

struct Row {
  std::uint64_t requests = 0, bytes = 0;
};

// The median of the runs; `prepare` is not counted.
void report(const std::string& name, const std::function<void()>& prepare,
            const std::function<Row()>& measured, int runs = kRuns) {
  std::vector<double> times;
  Row row;
  for (int i = 0; i < runs; ++i) {
    prepare();
    const double before = cpu_ms(RUSAGE_SELF);
    row = measured();
    times.push_back(cpu_ms(RUSAGE_SELF) - before);
  }
  std::ranges::nth_element(times, times.begin() + runs / 2);
  fmt::print("{:<44} {:>8} {:>10} {:>9.1f} {:>8.1f}\n", name, row.requests, row.bytes,
             times[static_cast<std::size_t>(runs / 2)], peak_mb());
  std::fflush(stdout);
}

struct Client {
  fs::path repository, metadata;

  void forget() const {
    fs::remove_all(metadata);
    need(trust::trust_initial_root(
        metadata, need(read_file(repository / "metadata/1.root.json", kMaxFileBytes))));
  }
  Row refresh() const {
    FolderFetcher fetcher(repository);
    trust::Updater updater(metadata, "metadata/", "targets/", fetcher, kNow);
    need(updater.refresh());
    return {fetcher.requests, fetcher.bytes};
  }
  Row look(trust::Seen& seen) const {
    FolderFetcher fetcher(repository);
    trust::Updater updater(metadata, "metadata/", "targets/", fetcher, kNow);
    if (need(updater.refresh_if_changed(seen))) give_up("there was something new");
    return {fetcher.requests, fetcher.bytes};
  }
  Row read_all_channels() const {
    FolderFetcher fetcher(repository);
    trust::Updater updater(metadata, "metadata/", "targets/", fetcher, kNow);
    need(updater.refresh());
    for (const auto& product : need(updater.delegated_roles()))
      need(updater.download_target(need(updater.find_target(product + "/channels.json"))));
    return {fetcher.requests, fetcher.bytes};
  }
};

void measure(const std::string& what, const fs::path& folder) {
  const Client client{folder / "repository", folder / ("client-" + what)};
  auto nothing = [] {};
  if (what == "nothing-new") {
    client.forget();
    client.refresh();
    trust::Seen seen;
    report("refresh, nothing new", nothing, [&] { return client.look(seen); });
    report(
        "the same, the first of a process", [&] { seen = {}; }, [&] { return client.look(seen); });
  } else if (what == "again") {
    client.forget();
    client.refresh();
    report("refresh in the order of the specification", nothing, [&] { return client.refresh(); });
  } else if (what == "first") {
    report("first refresh", [&] { client.forget(); }, [&] { return client.refresh(); });
  } else if (what == "all-products") {
    report(
        "first refresh, and every product's channels", [&] { client.forget(); },
        [&] { return client.read_all_channels(); }, 3);
  } else if (what == "many-signatures") {
    const auto bytes = need(read_file(client.repository / "many-signatures.json", kMaxFileBytes));
    report("a role with 100,000 signatures, refused", nothing, [&] {
      if (trust::parse_targets(bytes, "targets", {})) give_up("it was accepted");
      return Row{0, bytes.size()};
    });
  }
}

int run(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::fflush(stdout);
  const auto child = ::fork();
  if (child == 0) {
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

// Another program over the same bytes, for scale.
void peer(const std::string& command, const fs::path& folder) {
  const double before = cpu_ms(RUSAGE_CHILDREN);
  if (run({"sh", "-c", "cd \"$0\" && " + command + " >/dev/null 2>&1", folder / "repository"}) != 0)
    return;
  fmt::print("{:<44} {:>8} {:>10} {:>9.1f}\n", "  peer: " + command.substr(0, 34), "", "",
             cpu_ms(RUSAGE_CHILDREN) - before);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "--measure") {
    measure(words[1], words[2]);
    return 0;
  }
  const std::size_t products = words.empty() ? 1000 : std::stoul(words[0]);
  const std::size_t targets = words.size() < 2 ? 20 * products : std::stoul(words[1]);
  std::string folder = (fs::temp_directory_path() / "trust-bench-XXXXXX").string();
  if (products == 0 || ::mkdtemp(folder.data()) == nullptr) give_up("cannot make a folder");
  make_repository(fs::path(folder) / "repository", products, targets);
  fmt::print("{} products, {} targets\n", products, targets);
  fmt::print("{:<44} {:>8} {:>10} {:>9} {:>8}\n", "", "requests", "bytes", "CPU ms", "peak MB");
  const auto self = fs::read_symlink("/proc/self/exe").string();
  for (auto what : {"nothing-new", "again", "first", "all-products", "many-signatures"}) {
    if (run({self, "--measure", what, folder}) != 0) give_up("a measurement failed");
    const std::string_view name = what;
    const std::string files =
        "metadata/timestamp.json metadata/1.root.json "
        "metadata/1.snapshot.json metadata/1.targets.json";
    if (name == "first") {
      peer("sha256sum " + files, folder);
      peer("jq . " + files, folder);
    }
    if (name == "many-signatures") peer("jq . many-signatures.json", folder);
  }
  fs::remove_all(folder);
  return 0;
}
