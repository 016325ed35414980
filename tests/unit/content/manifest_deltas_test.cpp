// The deltas of release.json: what is written is read back, what breaks a rule is refused, and who
// does not know them, or not this kind, still reads the release.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "content/manifest.hpp"
#include "samples.hpp"

namespace shoal::content {
namespace {

using nlohmann::json;
using test::file;

Release sample() {
  auto release = test::release_of({file("bin/editor", 200'000)});
  for (const auto* from : {"1.0", "1.1"}) {
    DeltaArtifact delta;
    delta.from = from;
    delta.size = 100'000;
    delta.piece_size = 65536;
    delta.info_hash = sha256(as_bytes(std::string_view(from)));
    delta.torrent_target = std::string("editor/2.0/base@") + from + ".torrent";
    delta.index_target = std::string("editor/2.0/base@") + from + ".index";
    delta.edge_bytes = 99'000;
    release.components[0].deltas.push_back(delta);
  }
  return release;
}

json sample_json() { return json::parse(format_release(sample())); }
json& deltas_of(json& value) { return value["components"][0]["deltas"]; }
Result<Release> parse(const json& value) { return parse_release(as_bytes(value.dump())); }

bool refused(const std::function<void(json&)>& change) {
  json value = sample_json();
  change(deltas_of(value));
  const auto parsed = parse(value);
  return !parsed && parsed.error().kind == ErrorKind::metadata_invalid;
}

TEST(ManifestDeltas, ComeBackAsTheyWereWritten) {
  const auto parsed = parse(sample_json());
  ASSERT_TRUE(parsed) << parsed.error().describe();
  EXPECT_EQ(format_release(*parsed), format_release(sample()));
  const auto& delta = parsed->components[0].deltas.at(1);
  EXPECT_EQ(delta.from, "1.1");
  EXPECT_EQ(delta.size, 100'000U);
  EXPECT_EQ(delta.image_size(), 131'072U);
  EXPECT_EQ(delta.info_hash, sample().components[0].deltas[1].info_hash);
}

TEST(ManifestDeltas, AReleaseWithoutThemDoesNotMentionThem) {
  auto release = sample();
  release.components[0].deltas.clear();
  EXPECT_EQ(format_release(release).find("deltas"), std::string::npos);
}

// What a client that knows no deltas sees is a field that it does not know.
TEST(ManifestDeltas, AClientThatDoesNotKnowThemReadsTheRelease) {
  json value = sample_json();
  auto& component = value["components"][0];
  component["fields_of_tomorrow"] = deltas_of(value);
  component.erase("deltas");
  const auto parsed = parse(value);
  ASSERT_TRUE(parsed) << parsed.error().describe();
  EXPECT_TRUE(parsed->components[0].deltas.empty());
  EXPECT_EQ(parsed->components[0].files.size(), 1U);
}

TEST(ManifestDeltas, ADeltaOfAnotherFormatIsLeftOut) {
  json value = sample_json();
  deltas_of(value)[0] = {{"format", 99}, {"from", {{"anything", "else"}}}};
  const auto parsed = parse(value);
  ASSERT_TRUE(parsed) << parsed.error().describe();
  ASSERT_EQ(parsed->components[0].deltas.size(), 1U);
  EXPECT_EQ(parsed->components[0].deltas[0].from, "1.1");
}

TEST(ManifestDeltas, WhatBreaksARuleIsRefused) {
  EXPECT_FALSE(refused([](json&) {}));
  EXPECT_TRUE(refused([](json& deltas) { deltas = 1; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0] = 1; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["from"] = "1.1"; }));
  for (const auto* key : {"from", "size", "piece_size", "info_hash", "torrent", "index"}) {
    EXPECT_TRUE(refused([&](json& deltas) { deltas[0].erase(key); })) << key;
    EXPECT_TRUE(refused([&](json& deltas) { deltas[0][key] = nullptr; })) << key;
  }
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["size"] = 0; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["size"] = ~std::uint64_t{0}; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["size"] = kMaxDeltaBytes; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["piece_size"] = 65535; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["torrent"] = "../../etc/passwd"; }));
  EXPECT_TRUE(refused([](json& deltas) { deltas[0]["index"] = "/etc/passwd"; }));
  EXPECT_TRUE(refused([](json& deltas) {
    deltas = json::array();
    deltas.get_ref<json::array_t&>().resize(1025, json::object());
  }));
}

}  // namespace
}  // namespace shoal::content
