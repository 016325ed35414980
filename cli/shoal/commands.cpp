// A command asks, shows the answer (as text or as the daemon's JSON), and gives an exit code. An
// error's exit code is its kind's, from the table in base.
#include "cli/shoal/commands.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>

#include "base/file.hpp"
#include "cli/shoal/follow.hpp"
#include "cli/shoal/interrupt.hpp"
#include "cli/shoal/show.hpp"
#include "cli/usage/sanitised.hpp"
#include "client/client.hpp"
#include "protocol/codec.hpp"

namespace shoal::cli {
namespace {

using protocol::Change;

constexpr int kOk = 0;
constexpr std::uint64_t kMaxRootBytes = 512 << 10;  // a root.json has a few kilobytes

class Runner {
 public:
  explicit Runner(const Options& options) : options_(options) {
    client_options_.socket = options.socket;
    if (options.socket.empty())
      client_options_.socket = client::default_socket(std::getenv("XDG_RUNTIME_DIR"));
  }

  int run() {
    client::Client client(client_options_);
    switch (options_.command) {
      case Command::repo_add:
        return add_repository(client);
      case Command::repo_list:
        return print(client.repositories());
      case Command::repo_remove:
        return remove_repository(client);
      case Command::start:
        return start(client);
      case Command::update_all:
        return update_all(client);
      case Command::plan:
        return print(client.plan(options_.request));
      case Command::list:
        return print(client.installs());
      case Command::products:
        return products(client);
      case Command::status:
        return print(read_status(client));
      case Command::watch:
        return watch_all();
      case Command::pause:
        return steer(client, &client::Client::pause, "paused");
      case Command::resume:
        return steer(client, &client::Client::resume, "running");
      case Command::cancel:
        return steer(client, &client::Client::cancel, "cancelled");
      case Command::config:
        return config(client);
    }
    return kOk;
  }

 private:
  int failed(const Error& error) const {
    if (options_.json) {
      fmt::print("{}\n", protocol::encode(error));
    } else {
      fmt::print(stderr, "{}", show(error));
    }
    return info(error.kind).exit_code;
  }

  // The answer itself, or its text.
  template <typename Message>
  int print(const Result<Message>& answer) const {
    if (!answer) return failed(answer.error());
    fmt::print("{}", options_.json ? protocol::encode(*answer) + "\n" : show(*answer));
    return kOk;
  }

  // The unfinished change of the product that was given; otherwise what was given is an id.
  Result<std::string> change_meant(const client::Client& client) const {
    const auto& given = options_.change;
    if (given.find_first_not_of("0123456789") == std::string::npos) return given;
    SHOAL_ASSIGN(auto installs, client.installs());
    for (const auto& install : installs.installs)
      if (install.product == given && !install.current_change.empty())
        return install.current_change;
    return given;
  }

  int steer(const client::Client& client,
            Result<Change> (client::Client::*request)(const std::string&) const,
            std::string_view wanted) const {
    auto id = change_meant(client);
    if (!id) return failed(id.error());
    auto change = (client.*request)(*id);
    if (!change) return failed(change.error());
    if (options_.json) return print_json(*change);
    // What stops a change waits for the step that runs; by then it has another state.
    bool already = has_ended(change->state) || wanted == name_of(change->state);
    fmt::print("{} {}: {}{}\n", name_of(change->kind), sanitised(change->product),
               already ? "" : "being ", already ? name_of(change->state) : wanted);
    return kOk;
  }

  int add_repository(const client::Client& client) const {
    auto root = read_file(options_.root, kMaxRootBytes);
    if (!root)
      return failed({root.error().kind, root.error().message,
                     "Name the root.json that the publisher gave you, with --root FILE."});
    auto added = client.add_repository({options_.url, std::string(as_text(*root))});
    if (!added) return failed(added.error());
    if (options_.json) return print_json(*added);
    fmt::print("Added repository {}: {}\n", added->id, sanitised(added->url));
    fmt::print(stderr, "{}", show_problems(*added));
    return kOk;
  }

  int remove_repository(const client::Client& client) const {
    auto removed = client.remove_repository(options_.repository);
    if (!removed) return failed(removed.error());
    if (options_.json)
      return print_json(protocol::Removed{"repository", std::to_string(options_.repository)});
    fmt::print("Removed repository {}.\n", options_.repository);
    return kOk;
  }

  template <typename Message>
  int print_json(const Message& message) const {
    fmt::print("{}\n", protocol::encode(message));
    return kOk;
  }

  int start(const client::Client& client) const {
    auto change = client.start(options_.request);
    if (!change) return failed(change.error());
    if (!options_.wait) return started(*change);
    auto ended = wait_for({*change});
    if (!ended) return failed(ended.error());
    if (options_.json) print_json(ended->front());
    return report(*ended);
  }

  int started(const Change& change) const {
    if (options_.json) return print_json(change);
    fmt::print("Started change {}; 'shoal status' shows how it goes.\n", sanitised(change.id));
    return kOk;
  }

  // What is known of a repository that cannot be read now is shown as it was; that it may be old is
  // said beside it. The exit code is the first failure's.
  int warn_of_problems(const protocol::Repositories& repositories) const {
    int code = kOk;
    for (const auto& repository : repositories.repositories) {
      if (!options_.json) fmt::print(stderr, "{}", show_problems(repository));
      if (repository.last_error && code == kOk) code = info(repository.last_error->kind).exit_code;
    }
    return code;
  }

  int products(const client::Client& client) const {
    auto known = client.products();
    auto repositories = client.repositories();
    if (!repositories) return failed(repositories.error());
    if (int code = print(known); code != kOk) return code;
    return warn_of_problems(*repositories);
  }

  // As one that failed before it began, so that it is reported with the others; it has no id.
  static Change never_started(const protocol::ChangeRequest& request, const Error& error) {
    Change change;
    change.kind = request.kind;
    change.product = request.product;
    change.state = protocol::ChangeState::failed;
    change.error = error;
    return change;
  }

  // Every install with a newer version in its channel. Under --json one document, whatever happens.
  int update_all(const client::Client& client) const {
    if (auto fresh = client.products(); !fresh) return failed(fresh.error());
    auto installs = client.installs();
    if (!installs) return failed(installs.error());
    auto repositories = client.repositories();
    if (!repositories) return failed(repositories.error());
    int code = warn_of_problems(*repositories);
    std::vector<Change> running, refused;
    for (const auto& install : installs->installs) {
      if (!install.update_available()) continue;
      protocol::ChangeRequest request = options_.request;
      request.product = install.product;
      if (auto change = client.start(request))
        running.push_back(std::move(*change));
      else
        refused.push_back(never_started(request, change.error()));
    }
    if (running.empty() && refused.empty() && code == kOk && !options_.json)
      fmt::print("{}\n", installs->installs.empty() ? "Nothing is installed."
                                                    : "Everything is up to date.");
    if (options_.wait && !running.empty()) {
      auto ended = wait_for(running);
      if (!ended) return failed(ended.error());
      running = std::move(*ended);
    } else if (!options_.json) {
      for (const auto& change : running) started(change);
    }
    running.insert(running.end(), refused.begin(), refused.end());
    if (options_.json) print_json(protocol::Changes{running});
    int reported = report(running);
    return code == kOk ? reported : code;
  }

  Result<std::vector<Change>> wait_for(const std::vector<Change>& started) const {
    Interrupt interrupt;
    auto client_options = client_options_;
    client_options.wake_fd = interrupt.fd();
    SystemClock clock;
    auto display = make_display(options_.json, clock, Cause::follows);
    auto ended = follow(client_options, started, *display);
    if (ended || ended.error().kind != ErrorKind::cancelled) return ended;
    std::string ids;
    for (const auto& change : started) ids += (ids.empty() ? "" : " ") + sanitised(change.id);
    return fail(ErrorKind::cancelled, "interrupted; the work goes on in the daemon",
                "'shoal cancel " + ids + "' ends it, 'shoal watch' follows it.");
  }

  // The notes and errors of changes that have ended; the first failure's exit code.
  int report(const std::vector<Change>& changes) const {
    int code = kOk;
    for (const auto& change : changes) {
      if (!options_.json) fmt::print("{}", show_notes(change));
      std::fflush(stdout);  // before what comes on stderr
      int own = kOk;
      if (change.state == protocol::ChangeState::failed) {
        Error error = change.error.value_or(Error{ErrorKind::internal, "failed", ""});
        if (changes.size() > 1) error.message.insert(0, change.product + ": ");
        if (!options_.json) fmt::print(stderr, "{}", show(error));
        own = info(error.kind).exit_code;
      } else if (change.state == protocol::ChangeState::cancelled) {
        own = info(ErrorKind::cancelled).exit_code;
      }
      if (code == kOk) code = own;
    }
    return code;
  }

  static Result<protocol::Status> read_status(const client::Client& client) {
    protocol::Status status;
    SHOAL_ASSIGN(status.system, client.system());
    SHOAL_ASSIGN(auto changes, client.changes());
    SHOAL_ASSIGN(auto repositories, client.repositories());
    for (auto& change : changes.changes)
      if (!has_ended(change.state)) status.changes.push_back(std::move(change));
    status.repositories = std::move(repositories.repositories);
    return status;
  }

  int watch_all() const {
    Interrupt interrupt;
    auto client_options = client_options_;
    client_options.wake_fd = interrupt.fd();
    SystemClock clock;
    auto display = make_display(options_.json, clock, Cause::in_the_line);
    Error end = watch(client_options, *display, [this](const protocol::Event& event) {
      if (!options_.json) return;
      // Both are the daemon's words, made of letters, and its JSON.
      fmt::print("{{\"event\":\"{}\",\"data\":{}}}\n", sanitised(event.name), event.data);
      std::fflush(stdout);
    });
    if (end.kind == ErrorKind::cancelled) return info(end.kind).exit_code;
    return failed(end);
  }

  int config(const client::Client& client) const {
    const auto& update = options_.config;
    bool change =
        update.consent || update.upload_bytes_per_s || update.download_bytes_per_s || update.policy;
    return print(change ? client.configure(update) : client.config());
  }

  const Options& options_;
  client::ClientOptions client_options_;
};

}  // namespace

int run(const Options& options) { return Runner(options).run(); }

}  // namespace shoal::cli
