// One function per family of commands adds its subcommands; each subcommand sets `command` when it
// is the one. CLI11 reports bad usage; we turn that into exit code 2.
#include "cli/shoal/options.hpp"

#include <fmt/core.h>

#include "base/relative_path.hpp"
#include "cli/shoal/text.hpp"
#include "cli/usage/sanitised.hpp"
#include "cli/usage/usage.hpp"
#include "protocol/codec.hpp"

namespace shoal::cli {
namespace {

using protocol::ChangeKind;

// Turns a Result into CLI11's way of refusing an argument.
void require(const Result<void>& result) {
  if (!result) throw CLI::ValidationError(result.error().message + ". " + result.error().remedy);
}

template <typename Enum>
Enum word(const std::string& name) {
  if (auto value = protocol::from_name<Enum>(name)) return *value;
  throw CLI::ValidationError("'" + name + "' is not one of: " + protocol::all_names<Enum>());
}

std::uint64_t rate(const std::string& text) {
  auto parsed = parse_rate(text);
  if (!parsed) throw CLI::ValidationError(parsed.error().message + ". " + parsed.error().remedy);
  return *parsed;
}

CLI::App* subcommand(CLI::App& parent, Options& options, const char* name, const char* about,
                     Command command) {
  auto* app = parent.add_subcommand(name, about);
  app->callback([&options, command] { options.command = command; });
  return app;
}

void add_priority(CLI::App& app, Options& options) {
  app.add_option_function<std::string>(
         "--priority",
         [&options](const std::string& name) {
           options.request.priority = word<protocol::Priority>(name);
         },
         "foreground (default) or background")
      ->type_name("PRIORITY");
}

void add_no_wait(CLI::App& app, Options& options) {
  app.add_flag_callback(
      "--no-wait", [&options] { options.wait = false; }, "return at once; the daemon goes on");
}

void add_install_options(CLI::App& app, Options& options) {
  app.add_option_function<std::string>(
         "PRODUCT",
         [&options](const std::string& text) { require(parse_target(text, options.request)); },
         "what to install: PRODUCT, PRODUCT@CHANNEL or PRODUCT=VERSION")
      ->required();
  app.add_option_function<std::string>(
      "--library",
      [&options](const std::string& folder) {
        options.request.library = std::filesystem::absolute(folder).lexically_normal().string();
      },
      "the folder for installs (default: the daemon's first)");
  app.add_option("--repository", options.request.repository,
                 "whose product it is, where several offer one of that name; see 'repo list'")
      ->type_name("ID");
  app.add_option("--component", options.request.components, "a component; may be repeated")
      ->allow_extra_args(false);
}

void add_product(CLI::App& app, Options& options, bool required = true) {
  app.add_option_function<std::string>(
         "PRODUCT",
         [&options](const std::string& name) {
           require(check_name("product", name));
           options.request.product = name;
         },
         "an installed product")
      ->required(required);
}

// The subcommands that make a change, either to start it or to plan it.
void add_change_commands(CLI::App& parent, Options& options, Command command) {
  bool starts = command == Command::start;
  auto add = [&](ChangeKind kind, const char* about) {
    auto* app = parent.add_subcommand(std::string(name_of(kind)), about);
    app->callback([&options, kind, command] {
      options.request.kind = kind;
      bool all = kind == ChangeKind::update && options.request.product.empty();
      options.command = all ? Command::update_all : command;
    });
    if (kind == ChangeKind::install) {
      add_install_options(*app, options);
    } else {
      add_product(*app, options, !(starts && kind == ChangeKind::update));
    }
    if (starts) {
      add_priority(*app, options);
      add_no_wait(*app, options);
    }
    return app;
  };
  add(ChangeKind::install, "install a product");
  add(ChangeKind::update,
      starts ? "update a product, or all that have an update" : "update a product");
  add(ChangeKind::repair, "put right what is damaged, fetching only that");
  if (!starts) return;
  add(ChangeKind::verify, "read an install and report what is damaged");
  add(ChangeKind::uninstall, "remove an install; files that are not ours stay");
}

void add_repo_commands(CLI::App& app, Options& options) {
  auto* repo = app.add_subcommand("repo", "the repositories that this machine trusts");
  repo->require_subcommand(1);
  auto* add = subcommand(*repo, options, "add", "trust a repository", Command::repo_add);
  add->add_option("URL", options.url, "where it is published")->required();
  add->add_option("--root", options.root, "its root.json, from a source you trust")
      ->required()
      ->type_name("FILE");
  subcommand(*repo, options, "list", "show them, with their mirrors", Command::repo_list);
  auto* remove = subcommand(*repo, options, "remove", "trust one no more", Command::repo_remove);
  remove->add_option("ID", options.repository, "as 'shoal repo list' shows it")->required();
}

void add_show_commands(CLI::App& app, Options& options) {
  subcommand(app, options, "list", "what is installed", Command::list);
  subcommand(app, options, "products", "what the repositories offer", Command::products);
  subcommand(app, options, "status", "the daemon, what it does, its mirrors", Command::status);
  subcommand(app, options, "watch", "follow everything that happens", Command::watch);
}

void add_steer_commands(CLI::App& app, Options& options) {
  for (auto [name, about, command] :
       {std::tuple{"pause", "stop a change for now", Command::pause},
        std::tuple{"resume", "let a paused change go on", Command::resume},
        std::tuple{"cancel", "give a change up; the old version stays", Command::cancel}})
    subcommand(app, options, name, about, command)
        ->add_option("CHANGE", options.change, "its number, or its product's name")
        ->required();
}

void add_config_commands(CLI::App& app, Options& options) {
  auto* limit = subcommand(app, options, "limit", "show or set rate limits", Command::config);
  limit->add_option_function<std::string>(
      "--upload",
      [&options](const std::string& text) { options.config.upload_bytes_per_s = rate(text); },
      "such as 5MB/s or 40Mbit; 0 or none: no limit");
  limit->add_option_function<std::string>(
      "--download",
      [&options](const std::string& text) { options.config.download_bytes_per_s = rate(text); },
      "the same for what is received");
  subcommand(app, options, "consent", "show or set whether peers may be talked to", Command::config)
      ->add_option_function<std::string>(
          "CONSENT",
          [&options](const std::string& name) {
            options.config.consent = word<protocol::Consent>(name);
          },
          "granted, lan (this network only) or denied");
  auto* config = subcommand(app, options, "config", "show or set the rest", Command::config);
  subcommand(*config, options, "policy", "how readily the edge is asked", Command::config)
      ->add_option_function<std::string>(
          "POLICY",
          [&options](const std::string& name) {
            options.config.policy = word<protocol::PolicyChoice>(name);
          },
          "fastest, balanced or thrifty; publisher: as each repository says");
}

// The exit code; the text has been printed, as JSON where that was asked for.
int refuse(const CLI::App& app, const CLI::ParseError& error, bool json) {
  constexpr int kUsage = 2;
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  Error refusal = usage_error(app, error);
  refusal.message = sanitised(refusal.message);
  if (json)
    fmt::print("{}\n", protocol::encode(refusal));
  else
    fmt::print(stderr, "shoal: {}\n{}\n", refusal.message, refusal.remedy);
  return kUsage;
}

}  // namespace

Result<void> parse_target(const std::string& text, protocol::ChangeRequest& request) {
  std::size_t mark = text.find_first_of("@=");
  request.product = text.substr(0, mark);
  SHOAL_TRY(check_name("product", request.product));
  if (mark == std::string::npos) return {};
  std::string rest = text.substr(mark + 1);
  bool channel = text[mark] == '@';
  SHOAL_TRY(check_name(channel ? "channel" : "version", rest));
  (channel ? request.channel : request.version) = rest;
  return {};
}

std::variant<Options, ExitCode> parse_command_line(int argc, const char* const* argv) {
  Options options;
  CLI::App app("Installs and updates software through shoald, the Shoal daemon.", "shoal");
  app.set_version_flag("--version", std::string("shoal ") + SHOAL_VERSION);
  app.add_option("--socket", options.socket, "the daemon's socket")
      ->envname("SHOAL_SOCKET")
      ->type_name("PATH");
  app.add_flag("--json", options.json, "print JSON only");
  app.require_subcommand(1);
  app.fallthrough();  // --socket and --json may follow the command
  add_change_commands(app, options, Command::start);
  auto* plan = app.add_subcommand("plan", "what a command would do, without doing it");
  plan->require_subcommand(1);
  add_change_commands(*plan, options, Command::plan);
  add_repo_commands(app, options);
  add_show_commands(app, options);
  add_steer_commands(app, options);
  add_config_commands(app, options);
  app.footer(
      "Exit codes: 0 done or nothing to do, 1 failed, 2 usage, 3 daemon unreachable,\n"
      "4 not allowed, 5 not found, 6 conflict, 7 network, 8 disk space, 9 verification,\n"
      "130 interrupted.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ExitCode{refuse(app, error, asks_for_json(argc, argv))};
  }
  return options;
}

}  // namespace shoal::cli
