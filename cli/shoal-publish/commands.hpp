// What each command does once its arguments are known.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "content/repository_info.hpp"
#include "publish/repository.hpp"
#include "publish/serve.hpp"

namespace shoal::cli {

struct CommonOptions {
  std::filesystem::path repository;
  std::vector<std::filesystem::path> keys;  // folders and files
  std::filesystem::path propose;            // where a proposal is left; empty: nowhere
  bool json = false;
};

struct InitOptions {
  bool no_passphrase = false;
  content::RepositoryInfo info;
};

struct ChannelOptions {
  std::string product, channel, version;
};

struct ImageOptions {
  std::string product, version, component;
  std::filesystem::path output;
};

// Each prints its report to stdout and returns the exit code.
Result<int> init(const CommonOptions& common, const InitOptions& options);
// `memory`: for deltas, as a person writes it.
Result<int> release(const CommonOptions& common, const publish::ReleaseRequest& request,
                    const std::string& memory);
Result<int> channel(const CommonOptions& common, const ChannelOptions& options);
Result<int> refresh(const CommonOptions& common, bool all);
Result<int> list(const CommonOptions& common);
Result<int> check(const CommonOptions& common, bool apply_deltas);
Result<int> image(const CommonOptions& common, const ImageOptions& options);
Result<int> serve(const CommonOptions& common, const publish::ListenAddress& listen);

// Prints to stderr and returns the exit code: 2 for what was asked wrongly, otherwise 1.
int report_error(const Error& error, bool json);

}  // namespace shoal::cli
