// A lab whose updates come with a delta: the test plays publisher and network.
#pragma once

#include "content/merkle.hpp"
#include "delta/make_artifact.hpp"
#include "install/delta_file.hpp"
#include "lab.hpp"

namespace shoal::install {

// One byte of every 4 KiB is another: no chunk survives, and a delta is small.
inline std::string sprinkled(std::string bytes) {
  for (std::size_t i = 7; i < bytes.size(); i += 4096) bytes[i] = static_cast<char>(~bytes[i]);
  return bytes;
}

struct SampleDelta {
  std::shared_ptr<content::DeltaArtifact> artifact;
  Bytes image;
  std::vector<Digest> piece_hashes;
};

inline SampleDelta sample_delta(const test::SampleRelease& from, const test::SampleRelease& to,
                                std::uint64_t group_bytes = 0) {
  auto reader = [](const test::SampleRelease& side) {
    return [&side](FileIndex file, std::uint64_t offset, MutableByteView out) -> Result<void> {
      auto at = side.component->files[file.value()].offset + offset;
      std::copy_n(side.image.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
      return {};
    };
  };
  Bytes blocks;
  delta::MakeOptions options;
  options.group_bytes = group_bytes;
  options.read_old = reader(from);
  options.read_new = reader(to);
  options.write = [&](ByteView bytes) -> Result<void> {
    blocks.insert(blocks.end(), bytes.begin(), bytes.end());
    return {};
  };
  auto made = delta::make_artifact({from.component->files, *from.recipes},
                                   {to.component->files, *to.recipes}, options);
  if (!made) throw std::runtime_error(made.error().describe());
  SampleDelta out;
  out.image = delta::format_head(from.component->files, to.component->files, made->head);
  out.image.insert(out.image.end(), blocks.begin(), blocks.end());
  out.artifact = std::make_shared<content::DeltaArtifact>();
  out.artifact->from = "1";
  out.artifact->size = out.image.size();
  out.artifact->edge_bytes = out.image.size();
  out.artifact->piece_size = 16 * 1024;
  out.image.resize(out.artifact->image_size());
  for (std::size_t at = 0; at < out.image.size(); at += out.artifact->piece_size)
    out.piece_hashes.push_back(
        content::piece_hash(ByteView(out.image).subspan(at, out.artifact->piece_size)));
  return out;
}

// One update by delta, in its parts.
struct DeltaLab {
  Lab lab;
  test::SampleRelease from, to;
  SampleDelta delta;

  DeltaLab(const Tree& old_tree, const Tree& new_tree, std::uint64_t group_bytes = 0)
      : from(release_of(old_tree)), to(release_of(new_tree)) {
    auto installed = lab.change_to(from, "c1");
    if (!installed) throw std::runtime_error(installed.error().describe());
    delta = sample_delta(from, to, group_bytes);
  }

  Result<Plan> plan() const {
    auto targets = targets_of({to});
    targets[0].delta = delta.artifact;
    return make_plan(lab.library, lab.folder, lab.installed, std::move(targets), lab.stop, "c2");
  }
  // Stages the delta's file and brings the pieces that are missing.
  Result<StagedComponent> fetch_delta() {
    SHOAL_ASSIGN(auto staged, stage_delta(lab.library, "c2", "base", *delta.artifact,
                                          delta.piece_hashes, lab.pool, lab.stop));
    for (std::uint32_t p = 0; p < staged.have.size(); ++p) {
      if (staged.have.has(PieceIndex(p))) continue;
      auto at = std::size_t{p} * delta.artifact->piece_size;
      SHOAL_TRY(
          staged.image->write(at, ByteView(delta.image).subspan(at, delta.artifact->piece_size)));
    }
    return staged;
  }
  static std::shared_ptr<DeltaFeed> whole(const StagedComponent& staged) {
    return std::make_shared<DeltaFeed>(staged.image, transfer::PieceSet(staged.have.size(), true));
  }
  Result<Staging> stage_by_delta(const Plan& plan, const StepHook& step = {}) {
    SHOAL_ASSIGN(auto fetched, fetch_delta());
    return stage(lab.library, "c2", plan, lab.pool, lab.stop, step, {whole(fetched)});
  }
  // Fetches what is missing, and commits.
  Result<void> finish(const Plan& plan, const Staging& staging) {
    SHOAL_TRY(lab.fetch(plan, staging, {to}));
    SHOAL_ASSIGN(auto journal, lab.journal(plan, staging, "c2"));
    SHOAL_ASSIGN(auto outcome, roll_forward(lab.library, journal));
    lab.adopt({to}, outcome);
    return {};
  }
};

}  // namespace shoal::install
