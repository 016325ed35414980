// Key files by role, sealed and plain.
#include "publish/key_store.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

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
  std::filesystem::remove(folder / "keys/snapshot.key");
  EXPECT_EQ(store.load(KeyRole::snapshot).error().kind, ErrorKind::not_found);
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
