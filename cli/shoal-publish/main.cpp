// The command line of shoal-publish: what each command takes, and nothing else. The commands
// themselves are in commands.cpp.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <functional>

#include "commands.hpp"

namespace {

using namespace shoal;

struct Program {
  CLI::App app{"shoal-publish makes signed releases: keys, repositories, channels"};
  cli::CommonOptions common;
  cli::InitOptions init;
  std::string policy = "fastest";
  publish::ReleaseRequest release;
  cli::ChannelOptions channel;
  cli::ImageOptions image;
  std::string listen = "127.0.0.1:8080";
  std::function<Result<int>()> run;

  CLI::App* command(const std::string& name, const std::string& help, bool needs_keys,
                    std::function<Result<int>()> action) {
    auto* out = app.add_subcommand(name, help);
    out->add_option("REPO", common.repository, "Folder of the repository")->required();
    if (needs_keys) out->add_option("--keys", common.keys, "Folder of the secret keys")->required();
    out->add_flag("--json", common.json, "Print one JSON document");
    out->callback([this, action = std::move(action)] { run = action; });
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
    auto* out = command("release", "Publish a tree as a version of a product", true,
                        [this] { return cli::release(common, release); });
    out->add_option("TREE", release.tree, "Folder to publish")->required();
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
    out->add_option("--launch", release.launch.executable, "What a launcher starts");
    out->add_option("--launch-argument", release.launch.arguments, "An argument for it");
  }

  void add_channel() {
    auto* out = command("channel", "Let a channel point at a version", true,
                        [this] { return cli::channel(common, channel); });
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

  Program() {
    app.require_subcommand(1);
    add_init();
    add_release();
    add_channel();
    command("refresh", "Sign a new timestamp and snapshot, and what expires soon", true,
            [this] { return cli::refresh(common); });
    command("list", "Products, releases, channels, sizes and expiry dates", false,
            [this] { return cli::list(common); });
    command("check", "Verify everything in the repository, as a client would", false,
            [this] { return cli::check(common); });
    add_image();
    add_serve();
  }
};

}  // namespace

int main(int argc, char** argv) {
  constexpr int kUsage = 2;
  Program program;
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.app.exit(error) == 0 ? 0 : kUsage;
  }
  try {
    auto code = program.run();
    return code ? *code : cli::report_error(code.error(), program.common.json);
  } catch (const std::exception& error) {
    return cli::report_error({ErrorKind::internal, error.what(), {}}, program.common.json);
  }
}
