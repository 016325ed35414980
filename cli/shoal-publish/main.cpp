// The command line of shoal-publish: what each command takes, and nothing else. The commands
// themselves are in commands.cpp.
#include <fcntl.h>
#include <fmt/core.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "ceremony.hpp"
#include "cli/usage/usage.hpp"
#include "commands.hpp"
#include "delta_commands.hpp"

namespace {

using namespace shoal;

// Ctrl-C ends the work at the next file or window, and leaves the repository as it was.
StopToken stop_at_interrupt() {
  static StopToken stop;
  struct ::sigaction action{};
  action.sa_handler = [](int) { stop.request_stop(); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends the program at once
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return stop;
}

// Deltas are made from many files of two trees: as many may be open as the system's settings allow.
// Called before there are threads: Linux then makes the table of descriptors larger at once, and
// otherwise lets each doubling wait some 10 ms for all processors.
void allow_many_open_files() {
  constexpr rlim_t kUsualNeed = 4096;
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const int highest = static_cast<int>(std::min(limit.rlim_cur, kUsualNeed)) - 1;
  if (const int fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, highest); fd >= 0) ::close(fd);
}

// A core file would hold passphrases and keys. A program that cores are piped to is told the limit.
void leave_no_core() {
  const ::rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

// A delta's blocks and streams, of some MiB each, go back to the system when they are done with. By
// itself glibc comes to keep such buffers, more for each thread.
void give_back_large_buffers() { ::mallopt(M_MMAP_THRESHOLD, 1 << 20); }

struct Program {
  CLI::App app{"shoal-publish makes signed releases: keys, repositories, channels"};
  cli::CommonOptions common;
  cli::InitOptions init;
  std::string policy = "fastest";
  publish::ReleaseRequest release;
  cli::ChannelOptions channel;
  cli::ImageOptions image;
  std::string listen = "127.0.0.1:8080";
  bool all = false;
  cli::KeyOptions key;
  cli::ProposeOptions propose;
  cli::ProposalOptions proposal;
  cli::DelegateOptions delegate;
  cli::DeltaOptions delta;
  std::function<Result<int>()> run;

  void add_json(CLI::App* out, std::function<Result<int>()> action) {
    out->add_flag("--json", common.json, "Print one JSON document");
    out->callback([this, action = std::move(action)] { run = action; });
  }
  void add_keys(CLI::App* out, bool required) {
    out->add_option("--keys", common.keys,
                    "Folder of secret keys, or one key file; may be repeated")
        ->required(required)
        ->allow_extra_args(false);
  }
  void add_propose(CLI::App* out) {
    out->add_option("--propose", common.propose,
                    "Where keys are missing, leave a proposal in this new file for others to sign");
  }

  CLI::App* command(const std::string& name, const std::string& help, bool needs_keys,
                    std::function<Result<int>()> action) {
    auto* out = app.add_subcommand(name, help);
    out->add_option("REPO", common.repository, "Folder of the repository")->required();
    if (needs_keys) add_keys(out, true);
    add_json(out, std::move(action));
    return out;
  }

  void add_init() {
    auto* out = command("init", "Make keys and an empty repository", true, [this]() -> Result<int> {
      SHOAL_ASSIGN(init.info.policy, content::parse_edge_policy(policy));
      for (const auto& url : init.info.mirrors) SHOAL_TRY(content::check_mirror_url(url));
      for (const auto& url : init.info.trackers) SHOAL_TRY(content::check_tracker_url(url));
      return cli::init(common, init);
    });
    out->add_flag("--no-passphrase", init.no_passphrase,
                  "Leave the key files unsealed; otherwise SHOAL_PASSPHRASE or a prompt");
    out->add_option("--mirror", init.info.mirrors,
                    "Base URL of the files; default: the URL that "
                    "clients add the repository with");
    out->add_option("--tracker", init.info.trackers, "Announce URL of a BitTorrent tracker");
    out->add_option("--policy", policy, "fastest, balanced or thrifty: the edge or peers first")
        ->capture_default_str();
    out->add_flag("--dht", init.info.dht, "Let clients use the public DHT");
  }

  void add_release() {
    auto* out = command("release", "Publish a tree as a version of a product", true, [this] {
      release.may_propose = !common.propose.empty();
      release.stop = stop_at_interrupt();
      return cli::release(common, release, delta.memory);
    });
    out->add_option("TREE", release.tree, "Folder to publish")->required();
    add_propose(out);
    auto& build = release.build;
    out->add_option("--product", build.product, "Id of the product")->required();
    out->add_option("--version", build.version, "The version's name")->required();
    out->add_option("--component", build.component, "Part of the product")->capture_default_str();
    out->add_option("--channel", release.channels,
                    "Channel that is to point here; default: stable, for a new product");
    out->add_option("--platform", build.platforms, "linux, windows or macos");
    out->add_option("--tracker", build.trackers, "Announce URL; default: the repository's");
    out->add_flag("--hybrid", build.hybrid, "A BitTorrent v1 part too, for old clients");
    out->add_flag("--allow-outside-links", build.allow_outside_links,
                  "Accept symbolic links that point outside of the tree");
    out->add_option("--level", build.zstd_level, "zstd level, 1 to 22; default: the format's")
        ->check(CLI::Range(1, 22));
    out->add_option("--config", release.config_patterns,
                    "Pattern of files that are kept when the user changed them");
    out->add_option("--create-once", release.create_once_patterns,
                    "Pattern of files that are written when absent and never touched again");
    out->add_option("--delta-from", release.deltas.from,
                    "Make a delta from this earlier version, or from the last:N; may be repeated")
        ->allow_extra_args(false);
    out->add_option("--memory", delta.memory, "About the most memory that deltas may use")
        ->capture_default_str();
    out->add_option("--launch", release.launch.executable, "What a launcher starts");
    out->add_option("--launch-argument", release.launch.arguments, "An argument for it");
  }

  void add_channel() {
    auto* out = command("channel", "Let a channel point at a version", true,
                        [this] { return cli::channel(common, channel); });
    add_propose(out);
    out->add_option("--product", channel.product)->required();
    out->add_option("--channel", channel.channel)->required();
    out->add_option("--version", channel.version)->required();
  }

  void add_image() {
    auto* out = command("image", "Write a content image out, for BitTorrent seed boxes", false,
                        [this] { return cli::image(common, image); });
    out->add_option("--product", image.product)->required();
    out->add_option("--version", image.version)->required();
    out->add_option("--component", image.component, "When the version has several");
    out->add_option("-o,--output", image.output, "File to write")->required();
  }

  void add_serve() {
    auto* out = command("serve", "Serve the repository over HTTP, for demos, LANs and tests", false,
                        [this]() -> Result<int> {
                          SHOAL_ASSIGN(auto address, publish::parse_listen_address(listen));
                          return cli::serve(common, address);
                        });
    out->add_option("--listen", listen, "ADDRESS:PORT")->capture_default_str();
  }

  void add_refresh() {
    auto* out = command("refresh", "Sign timestamp and snapshot anew when they are due; for timers",
                        true, [this] { return cli::refresh(common, all); });
    out->add_flag("--all", all,
                  "Also root, targets and products that are due and whose keys are "
                  "here");
    add_propose(out);
  }

  void add_key() {
    auto* group = app.add_subcommand("key", "Make and show keys");
    group->require_subcommand(1);
    auto* make = group->add_subcommand("new", "Make a key: FILE is secret, FILE.pub is for others");
    make->add_option("FILE", key.file, "File of the secret key")->required();
    make->add_flag("--no-passphrase", key.no_passphrase, "Leave it unsealed");
    add_json(make, [this] { return cli::key_new(common, key); });
    auto* show =
        group->add_subcommand("show", "The fingerprint of a key, in hexadecimal and words");
    show->add_option("FILE", key.file, "Secret key or .pub")->required();
    add_json(show, [this] { return cli::key_show(common, key); });
  }

  // review, sign and apply are the same for both kinds.
  CLI::App* add_proposals(publish::ProposalKind kind, const std::string& help) {
    auto* group = app.add_subcommand(name_of(kind), help);
    group->require_subcommand(1);
    auto trusted = [this](CLI::App* out) {
      out->add_option("PROPOSAL", proposal.files, "File of the proposal")->required()->expected(1);
      out->add_option("--trusted-root", proposal.trusted_root,
                      "A root.json that you kept: the proposal must build on it");
    };
    auto* review =
        group->add_subcommand("review", "What a proposal changes, and who has signed it");
    trusted(review);
    add_json(review, [this, kind] { return cli::proposal_review(common, kind, proposal); });
    auto* sign = group->add_subcommand("sign", "Show what a proposal changes, ask, and sign it");
    trusted(sign);
    sign->add_option("--key", proposal.key, "File of your secret key")->required();
    sign->add_flag("--yes", proposal.yes, "Do not ask");
    add_json(sign, [this, kind] { return cli::proposal_sign(common, kind, proposal); });
    auto* apply = group->add_subcommand("apply", "Publish a proposal that is signed");
    apply->add_option("REPO", common.repository, "Folder of the repository")->required();
    apply->add_option("PROPOSAL", proposal.files, "Its file; copies signed by others, too")
        ->required();
    add_keys(apply, false);
    add_json(apply, [this, kind] { return cli::proposal_apply(common, kind, proposal); });
    return group;
  }

  void add_root() {
    auto* group = add_proposals(publish::ProposalKind::root,
                                "Change the root, by a proposal that "
                                "its holders sign");
    auto* out = group->add_subcommand("propose", "Propose a new root");
    out->add_option("REPO", common.repository, "Folder of the repository")->required();
    out->add_option("--add-key", propose.add_keys, "[ROLE=]FILE; root when no role is named")
        ->allow_extra_args(false);
    out->add_option("--remove-key", propose.remove_keys,
                    "[ROLE=]ID or file; from every role when none "
                    "is named; 8 digits of the id are enough")
        ->allow_extra_args(false);
    out->add_option("--threshold", propose.thresholds, "[ROLE=]N: so many keys must sign")
        ->allow_extra_args(false);
    out->add_option("--rotate", propose.rotate, "ROLE gives up all its keys for the added ones")
        ->allow_extra_args(false);
    out->add_option("--expires", propose.expires, "'in 1 year' (the default), or a date");
    out->add_option("-o,--output", propose.output, "File to write; a new one")->required();
    add_json(out, [this] { return cli::root_propose(common, propose); });
  }

  void add_delegate() {
    auto* out = command("delegate", "Say whose keys sign a product", true,
                        [this] { return cli::delegate(common, delegate); });
    out->add_option("--product", delegate.product)->required();
    out->add_option("--key", delegate.keys, "File of a key; name all that the product is to have")
        ->required()
        ->allow_extra_args(false);
    out->add_option("--threshold", delegate.threshold, "So many of them must sign");
    add_propose(out);
  }

  void add_delta() {
    auto* make = app.add_subcommand("delta", "Make a delta that turns one folder into another");
    make->add_option("OLD_TREE", delta.old_tree, "Folder that clients have")->required();
    make->add_option("NEW_TREE", delta.new_tree, "Folder that they are to have")->required();
    make->add_option("-o,--output", delta.delta, "File to write")->required();
    make->add_option("--memory", delta.memory, "About the most memory to use")
        ->capture_default_str();
    auto* apply = app.add_subcommand("delta-apply", "Make a folder from another one and a delta");
    apply->add_option("OLD_TREE", delta.old_tree, "Folder that the delta was made from")
        ->required();
    apply->add_option("FILE", delta.delta, "The delta")->required();
    apply->add_option("OUT_TREE", delta.out_tree, "Folder to make; not there yet")->required();
    for (auto* out : {make, apply}) {
      out->add_flag("--allow-outside-links", delta.allow_outside_links,
                    "Accept symbolic links that point outside of the tree");
    }
    add_json(make, [this] {
      delta.stop = stop_at_interrupt();
      return cli::delta(common, delta);
    });
    add_json(apply, [this] {
      delta.stop = stop_at_interrupt();
      return cli::delta_apply(common, delta);
    });
  }

  void add_doctor() {
    auto* out = app.add_subcommand("doctor",
                                   "What expires, is lost or weak; exit 1 if clients will "
                                   "break within 30 days");
    out->add_option("REPO", common.repository, "Folder of the repository")->required();
    add_keys(out, false);
    add_json(out, [this] { return cli::doctor(common); });
  }

  Program() {
    app.require_subcommand(1);
    app.add_flag("--json", common.json, "Print one JSON document");  // before the command, too
    add_init();
    add_release();
    add_channel();
    add_refresh();
    add_key();
    add_root();
    add_proposals(publish::ProposalKind::product,
                  "Proposals of releases and delegations: review, sign, apply");
    add_delegate();
    add_doctor();
    add_delta();
    command("list", "Products, releases, channels, sizes and expiry dates", false,
            [this] { return cli::list(common); });
    command("check", "Verify everything in the repository, as a client would", false, [this] {
      return cli::check(common, all);
    })->add_flag("--apply-deltas", all, "Decode every delta, too, and compare what it makes");
    add_image();
    add_serve();
  }
};

}  // namespace

int main(int argc, char** argv) {
  leave_no_core();
  allow_many_open_files();
  give_back_large_buffers();
  Program program;
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.app.exit(error);  // --help
    return cli::report_error(cli::usage_error(program.app, error), cli::asks_for_json(argc, argv));
  }
  try {
    auto code = program.run();
    return code ? *code : cli::report_error(code.error(), program.common.json);
  } catch (const std::exception& error) {
    return cli::report_error({ErrorKind::internal, error.what(), {}}, program.common.json);
  }
}
