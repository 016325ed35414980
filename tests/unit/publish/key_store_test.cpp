// Key files by role, sealed and plain.
#include "publish/key_store.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <barrier>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/file.hpp"
#include "publish/new_file.hpp"
#include "publish/serve.hpp"
#include "support/temp_dir.hpp"

namespace shoal::publish {
namespace {

KeyStore store_at(const test::TempDir& folder, const std::string& passphrase,
                  int* asked = nullptr) {
  return KeyStore(
      folder / "keys",
      [=](const std::filesystem::path&) -> Result<std::string> {
        if (asked) ++*asked;
        return passphrase;
      },
      trust::kMinKdfCost);
}

TEST(KeyStore, SealedKeysOpenWithThePassphraseWhichIsAskedForOnce) {
  test::TempDir folder;
  EXPECT_EQ(store_at(folder, "secret").create_missing(false).value(), kKeyRoles.size());
  int asked = 0;
  auto store = store_at(folder, "secret", &asked);
  for (auto role : kKeyRoles) EXPECT_TRUE(store.load(role).has_value());
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(store_at(folder, "wrong").load(KeyRole::root).error().kind,
            ErrorKind::wrong_passphrase);
}

TEST(KeyStore, PlainKeysAskForNothingAndExistingOnesAreKept) {
  test::TempDir folder;
  int asked = 0;
  auto store = store_at(folder, "", &asked);
  ASSERT_TRUE(store.create_missing(true).has_value());
  auto id = store.load(KeyRole::targets).value()->id();
  for (auto role : kKeyRoles)
    EXPECT_EQ(
        trust::key_id(
            read_public_key(folder / "keys" / (name_of(role) + std::string(".key.pub"))).value()),
        store.load(role).value()->id());
  std::filesystem::remove(folder / "keys/root.key.pub");  // killed before it was written
  EXPECT_EQ(store.create_missing(true).value(), 0U);
  EXPECT_TRUE(read_public_key(folder / "keys/root.key.pub"));
  std::filesystem::remove(folder / "keys/snapshot.key");
  store = store_at(folder, "", &asked);
  EXPECT_EQ(store.load(KeyRole::snapshot).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store.create_missing(true).error().kind, ErrorKind::conflict) << "it may be elsewhere";
  std::filesystem::remove(folder / "keys/snapshot.key.pub");
  EXPECT_EQ(store.create_missing(true).value(), 1U);
  EXPECT_EQ(store_at(folder, "").load(KeyRole::targets).value()->id(), id);
  EXPECT_EQ(asked, 0);
}

TEST(KeyStore, OnlyTheOwnerCanReadTheFiles) {
  test::TempDir folder;
  ASSERT_TRUE(store_at(folder, "").create_missing(true).has_value());
  struct ::stat status{};
  ASSERT_EQ(::stat((folder / "keys").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  ASSERT_EQ(::stat((folder / "keys/root.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

// In a child process: dies at the first byte that it writes to a file.
template <typename Work>
[[noreturn]] void die_while_writing(Work work) {
  ::rlimit nothing{0, 0};
  ::setrlimit(RLIMIT_CORE, &nothing);
  ::setrlimit(RLIMIT_FSIZE, &nothing);
  work();
  std::_Exit(0);
}

TEST(KeyStoreDeathTest, AKilledInitLeavesNoKeyThatIsNone) {
  test::TempDir folder;
  EXPECT_EXIT(die_while_writing([&] { (void)store_at(folder, "").create_missing(true); }),
              ::testing::KilledBySignal(SIGXFSZ), "");
  auto store = store_at(folder, "");
  EXPECT_EQ(store.create_missing(true).value(), kKeyRoles.size());
  for (auto role : kKeyRoles) EXPECT_TRUE(store.load(role).has_value());
}

TEST(KeyStoreDeathTest, AKeyWhoseMakingWasKilledCanBeMadeAgain) {
  test::TempDir folder;
  auto make = [&] {
    return make_key_file(folder / "a.key", true, [](const auto&) { return std::string(); });
  };
  EXPECT_EXIT(die_while_writing([&] { (void)make(); }), ::testing::KilledBySignal(SIGXFSZ), "");
  auto made = make();
  ASSERT_TRUE(made) << made.error().describe();
  EXPECT_EQ(trust::key_id(read_public_key(folder / "a.key.pub").value()), trust::key_id(*made));
}

// Sticks know no links, and network folders no renaming that replaces nothing.
TEST(NewFile, ReplacesNothingWhateverTheFileSystemKnows) {
  test::TempDir folder;
  for (auto way : {NamingWay::link, NamingWay::rename, NamingWay::claim}) {
    const auto file = folder / fmt::format("{}", static_cast<int>(way)) / "a.key";
    std::filesystem::create_directory(file.parent_path());
    ASSERT_TRUE(write_new_file(file, as_bytes("first"), 0600, way));
    EXPECT_EQ(write_new_file(file, as_bytes("second"), 0600, way).error().kind,
              ErrorKind::conflict);
    EXPECT_EQ(test::read_text(file), "first");
    std::filesystem::directory_iterator entries(file.parent_path());
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "something else is left";
  }
}

TEST(KeyStore, OfSeveralKeysMadeUnderOneNameAtOnceOneIsKept) {
  test::TempDir folder;
  const auto file = folder / "a.key";
  std::vector<Result<trust::PublicKey>> made(8, fail(ErrorKind::internal, ""));
  std::barrier together(static_cast<std::ptrdiff_t>(made.size()));
  // All have looked whether the name is free before any of them writes.
  auto ask = [&](const auto&) {
    together.arrive_and_wait();
    return Result<std::string>("secret");
  };
  std::vector<std::jthread> makers;
  makers.reserve(made.size());
  for (auto& result : made)
    makers.emplace_back([&] { result = make_key_file(file, false, ask, trust::kMinKdfCost); });
  makers.clear();
  EXPECT_EQ(std::ranges::count_if(made, [](const auto& result) { return result.has_value(); }), 1);
  for (const auto& result : made)
    if (result)
      for (auto name : {"a.key", "a.key.pub"})
        EXPECT_EQ(trust::key_id(read_public_key(folder / name).value()), trust::key_id(*result));
    else
      EXPECT_EQ(result.error().kind, ErrorKind::conflict);
}

TEST(KeyStore, InitsKeysAreFoundInAnyOfThePlaces) {
  test::TempDir folder;
  ASSERT_TRUE(store_at(folder, "").create_missing(true));
  std::filesystem::create_directory(folder / "online");
  std::filesystem::rename(folder / "keys/timestamp.key", folder / "online/timestamp.key");
  auto ask = [](const auto&) { return Result<std::string>(""); };
  KeyStore both({folder / "online", folder / "keys"}, ask);
  EXPECT_TRUE(both.load(KeyRole::products));
  EXPECT_TRUE(both.load(KeyRole::timestamp));
  EXPECT_EQ(both.create_missing(true), 0U);
  KeyStore files({folder / "online", folder / "keys/products.key"}, ask);
  EXPECT_TRUE(files.load(KeyRole::products));
  EXPECT_EQ(files.load(KeyRole::root).error().kind, ErrorKind::not_found);
}

TEST(ListenAddress, IsAnAddressAndAPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.2:80")->address, "127.0.0.2");
  EXPECT_EQ(parse_listen_address("127.0.0.2:80")->port, 80);
  EXPECT_EQ(parse_listen_address(":0")->address, "0.0.0.0");
  EXPECT_EQ(parse_listen_address("[::1]:8080")->address, "::1");
  EXPECT_EQ(url_of(*parse_listen_address("[::1]:8080")), "http://[::1]:8080/");
  for (auto bad : {"", "8080", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80"})
    EXPECT_FALSE(parse_listen_address(bad).has_value()) << bad;
}

}  // namespace
}  // namespace shoal::publish
