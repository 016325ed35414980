// release.json: what is written is read back; what breaks a rule is refused with its kind.
#include "content/manifest.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "samples.hpp"

namespace shoal::content {
namespace {

using nlohmann::json;
using test::file;
using test::path;

Release sample() {
  auto release = test::release_of({file("bin/editor", 200'000), file("etc/editor.conf", 300),
                                   file("etc/empty", 0), file("share/größe.txt", 5000)});
  Component& base = release.components[0];
  base.files[0].executable = true;
  base.files[1].file_class = FileClass::config;
  base.files[2].file_class = FileClass::create_once;
  base.symlinks = {{path("bin/ed"), "editor"}, {path("share/conf"), "../etc/editor.conf"}};
  base.directories = {path("var/empty")};
  release.platforms = {"linux"};
  release.trackers = {"http://tracker.example/announce"};
  release.launch = {"bin/editor", {"--new window"}};
  return release;
}

Result<Release> parse(const std::string& text) { return parse_release(as_bytes(text)); }

// The kind of error that parsing the sample gives after the change.
std::string kind_after(const std::function<void(json&)>& change) {
  json value = json::parse(format_release(sample()));
  change(value);
  auto parsed = parse(value.dump());
  return parsed ? "accepted" : std::string(info(parsed.error().kind).name);
}

json& base_of(json& value) { return value["components"][0]; }

TEST(Manifest, ComesBackAsItWasWritten) {
  Release release = sample();
  auto parsed = parse(format_release(release));
  ASSERT_TRUE(parsed) << parsed.error().describe();
  EXPECT_EQ(format_release(*parsed), format_release(release));
  const Component& base = parsed->components[0];
  EXPECT_EQ(base.files.size(), 4U);
  EXPECT_TRUE(base.files[0].executable);
  EXPECT_EQ(base.files[0].root, release.components[0].files[0].root);
  EXPECT_EQ(base.files[1].file_class, FileClass::config);
  EXPECT_EQ(base.files[2].file_class, FileClass::create_once);
  EXPECT_EQ(base.files[3].offset, release.components[0].files[3].offset);
  EXPECT_EQ(base.symlinks[1].target, "../etc/editor.conf");
  EXPECT_EQ(base.directories[0].text(), "var/empty");
  EXPECT_EQ(base.content.info_hash, release.components[0].content.info_hash);
  EXPECT_EQ(base.content.edge_bytes, 12'345U);
  EXPECT_EQ(base.total_bytes(), 205'300U);
  EXPECT_EQ(parsed->launch.arguments, release.launch.arguments);
}

TEST(Manifest, ATreeWithoutBytesNeedsNoArtifact) {
  auto release = test::release_of({file("a", 0)});
  auto parsed = parse(format_release(release));
  ASSERT_TRUE(parsed) << parsed.error().describe();
  EXPECT_EQ(parsed->components[0].content.piece_count(), 0U);
}

TEST(Manifest, UnknownFieldsAreIgnored) {
  EXPECT_EQ(kind_after([](json& v) {
              v["later"] = {1, 2, 3};
              base_of(v)["files"][0]["later"] = "x";
            }),
            "accepted");
}

TEST(Manifest, NewerFormatIsNamedAsSuch) {
  EXPECT_EQ(kind_after([](json& v) { v["format_version"] = 2; }), "unsupported_version");
  EXPECT_EQ(kind_after([](json& v) { v["format"] = "other"; }), "metadata_invalid");
}

TEST(Manifest, EveryTruncationAndFlippedByteIsSurvived) {
  Bytes good = to_bytes(format_release(sample()));
  good.pop_back();  // the final newline may well be missing
  test::for_every_damage(
      good,
      [](ByteView bytes) {
        auto parsed = parse_release(bytes);
        // Whatever was accepted is valid: it survives its own round trip.
        if (parsed) {
          EXPECT_TRUE(parse(format_release(*parsed)));
        }
        return parsed.has_value();
      },
      [](std::size_t length) { ADD_FAILURE() << "accepted a prefix of " << length; });
}

TEST(Manifest, DeepNestingIsRefusedBeforeItCostsMemory) {
  std::string bomb(1'000'000, '[');
  auto parsed = parse(bomb);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::metadata_invalid);
}

TEST(Manifest, ManyValuesAreRefusedBeforeTheyCostMemory) {
  std::string values = R"({"format":"shoal-release","more":[{})";
  for (int i = 0; i < 10'000'000; ++i) values += ",{}";
  auto parsed = parse(values + "]}");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::too_large);
}

TEST(Manifest, FieldsOfTheWrongTypeOrRangeAreRefused) {
  std::vector<std::function<void(json&)>> changes = {
      [](json& v) { v = json::array(); },
      [](json& v) { v.erase("product"); },
      [](json& v) { v["components"] = json::array(); },
      [](json& v) { v["components"].push_back(v["components"][0]); },
      [](json& v) { base_of(v)["files"] = 7; },
      [](json& v) { base_of(v)["files"][0] = "x"; },
      [](json& v) { base_of(v)["files"][0]["size"] = -1; },
      [](json& v) { base_of(v)["files"][0]["size"] = 1.5; },
      [](json& v) { base_of(v)["files"][0]["size"] = "1"; },
      [](json& v) { base_of(v)["files"][0]["size"] = UINT64_MAX; },
      [](json& v) { base_of(v)["files"][0]["offset"] = UINT64_MAX; },
      [](json& v) { base_of(v)["files"][0]["root"] = "zz"; },
      [](json& v) { base_of(v)["files"][0].erase("root"); },
      [](json& v) { base_of(v)["files"][0].erase("offset"); },
      [](json& v) { base_of(v)["files"][0]["executable"] = 1; },
      [](json& v) { base_of(v)["files"][0]["class"] = "other"; },
      [](json& v) { base_of(v).erase("content"); },
      [](json& v) { base_of(v)["content"]["piece_size"] = 65'537; },
      [](json& v) { base_of(v)["content"]["piece_size"] = 8192; },
      [](json& v) { base_of(v)["content"]["image_size"] = 65'537; },
      [](json& v) { base_of(v)["content"]["info_hash"] = "00"; },
      [](json& v) { base_of(v)["content"]["torrent"] = "../x"; },
      [](json& v) { std::swap(base_of(v)["files"][0], base_of(v)["files"][1]); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(kind_after(changes[i]), "metadata_invalid") << "change " << i;
}

TEST(Manifest, FilesThatOverlapOrLeaveTheImageAreRefused) {
  EXPECT_EQ(kind_after([](json& v) { base_of(v)["files"][1]["offset"] = 100; }),
            "metadata_invalid");
  EXPECT_EQ(kind_after([](json& v) {
              base_of(v)["files"][1]["offset"] = base_of(v)["content"]["image_size"];
            }),
            "metadata_invalid");
}

TEST(Manifest, PathsThatEscapeAreRefused) {
  for (std::string bad : {"../x", "/etc/passwd", "a/../../b", "a//b", "", "./a", "a\nb"})
    EXPECT_EQ(kind_after([&](json& v) { base_of(v)["files"][0]["path"] = bad; }), "path_invalid")
        << bad;
}

TEST(Manifest, NamesThatWouldBreakOutOfTheirFolderAreRefused) {
  EXPECT_EQ(kind_after([](json& v) { v["product"] = "../x"; }), "invalid_request");
  EXPECT_EQ(kind_after([](json& v) { base_of(v)["name"] = "a/b"; }), "invalid_request");
}

TEST(TreePaths, PathNotInNormalFormCIsRefused) {
  EXPECT_EQ(kind_after([](json& v) { base_of(v)["files"][3]["path"] = "share/gro\u0308sse"; }),
            "path_invalid");
}

TEST(TreePaths, TheSamePathTwiceIsRefusedAcrossListsAndComponents) {
  EXPECT_EQ(kind_after([](json& v) { base_of(v)["symlinks"][0]["path"] = "bin/editor"; }),
            "path_collision");
  EXPECT_EQ(
      kind_after([](json& v) { base_of(v)["files"][1]["path"] = base_of(v)["files"][0]["path"]; }),
      "path_collision");
  EXPECT_EQ(kind_after([](json& v) {
              v["components"].push_back({{"name", "german"},
                                         {"files", {{{"path", "etc/empty"}}}},
                                         {"content", {{"piece_size", 65536}, {"image_size", 0}}}});
            }),
            "path_collision");
}

TEST(TreePaths, AFileOrLinkThatIsAlsoAFolderIsRefused) {
  EXPECT_EQ(kind_after([](json& v) { base_of(v)["directories"][0] = "bin/editor/x"; }),
            "path_collision");
  EXPECT_EQ(kind_after([](json& v) { base_of(v)["directories"][0] = "bin/ed/x"; }),
            "path_collision");
}

TEST(TreePaths, LinksThatLeadOutsideAreRefusedUnlessAllowed) {
  for (std::string target : {"/etc/passwd", "../../x", "../bin/../..", "..//../x"}) {
    auto point_out = [&](json& v) { base_of(v)["symlinks"][0]["target"] = target; };
    EXPECT_EQ(kind_after(point_out), "path_invalid") << target;
    EXPECT_EQ(kind_after([&](json& v) {
                point_out(v);
                v["allow_outside_links"] = true;
              }),
              "accepted")
        << target;
  }
  for (std::string target : {"..", "../etc", "./editor", "missing/../x", "../bin/../etc/"})
    EXPECT_EQ(kind_after([&](json& v) { base_of(v)["symlinks"][0]["target"] = target; }),
              "accepted")
        << target;
}

TEST(TreePaths, AChainOfLinksCannotLeadOutside) {
  Release release = test::release_of({});
  auto& links = release.components[0].symlinks;
  // Each looks harmless by itself: a/b/up is the root, so a/b/up/.. is outside.
  links = {{path("a/b/out"), "up/../x"}, {path("a/b/up"), "../.."}};
  auto checked = check_tree_paths(release, false);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::path_invalid);
  // And one that looks bad is fine: deep leads down, so going up from it stays inside.
  links = {{path("deep"), "a/b/c"}, {path("in"), "deep/../../x"}};
  EXPECT_TRUE(check_tree_paths(release, false));
}

TEST(TreePaths, LoopsOfLinksEnd) {
  Release release = test::release_of({});
  release.components[0].symlinks = {{path("a"), "b"}, {path("b"), "a"}, {path("c"), "c/c"}};
  EXPECT_TRUE(check_tree_paths(release, false));
}

// Each would take 40 times 800 components, of a long path, to walk.
TEST(TreePaths, LinksThatTakeAnAgeToWalkAreRefused) {
  Release release = test::release_of({});
  auto& links = release.components[0].symlinks;
  std::string deep = "x", back_and_forth;
  for (int i = 0; i < 900; ++i) deep += "/x";
  for (int i = 0; i < 800; ++i) back_and_forth += "y/../";
  links.push_back({path(deep + "/c"), back_and_forth + "c"});
  for (int i = 0; i < 5'000; ++i) links.push_back({path("a" + std::to_string(i)), deep + "/c"});
  auto checked = check_tree_paths(release, false);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::too_large);
  release.allow_outside_links = true;
  EXPECT_TRUE(check_tree_paths(release, false));
}

TEST(TreePaths, NamesThatDifferOnlyInCaseAreReportedOrRefused) {
  Release release = test::release_of(
      {file("net/xt_DSCP.ko", 1), file("net/xt_dscp.ko", 1), file("Ärger", 1), file("ärger", 1)});
  auto reported = check_tree_paths(release, false);
  ASSERT_TRUE(reported);
  EXPECT_EQ(reported->size(), 2U);
  auto refused = check_tree_paths(release, true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::path_collision);
}

TEST(TreePaths, FoldersThatDifferOnlyInCaseAreReported) {
  Release release =
      test::release_of({file("Net/a", 1), file("net/b", 1), file("Net/c/d", 1), file("net/c.d", 1),
                        file("net-a/x", 1), file("NET-A", 1), file("f/Straße", 1),
                        file("f/strasse", 1), file("g/same", 1), file("h/Same", 1)});
  auto reported = check_tree_paths(release, false);
  ASSERT_TRUE(reported);
  EXPECT_EQ(*reported,
            (std::vector<std::string>{"'NET-A' and 'net-a' differ only in case",
                                      "'Net' and 'net' differ only in case",
                                      "'f/Straße' and 'f/strasse' differ only in case"}));
}

TEST(TreePaths, AReleaseForWindowsMayNotHaveCaseCollisions) {
  auto collide = [](json& v) { base_of(v)["directories"][0] = "BIN/x"; };
  EXPECT_EQ(kind_after(collide), "accepted");
  EXPECT_EQ(kind_after([&](json& v) {
              collide(v);
              v["platforms"] = {"windows"};
            }),
            "path_collision");
}

}  // namespace
}  // namespace shoal::content
