// Static files: ranges, conditions, and what is never served.
#include "http/static_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support/temp_dir.hpp"
#include "unit/http/raw_client.hpp"

namespace shoal::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class StaticFiles : public ::testing::Test {
 protected:
  StaticFiles() {
    dir_.write("f.json", "0123456789");
    dir_.write("sub/g.bin", "x");
    dir_.write(".hidden", "secret");
    dir_.write("sub/.git/config", "secret");
    dir_.write("empty", "");
  }
  Response get(std::string path, std::map<std::string, std::string> headers = {},
               std::string method = "GET") {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    return serve_static(*beneath_, request);
  }
  static std::string body(const Response& response) {
    if (!response.file) return "";
    Bytes bytes(response.file->length);
    EXPECT_TRUE(pread_exact(response.file->fd.get(), bytes, response.file->offset, "body"));
    return std::string(as_text(bytes));
  }

  shoal::test::TempDir dir_;
  Result<BeneathDir> beneath_ = BeneathDir::open(dir_.path());
};

TEST_F(StaticFiles, ServesAFileWithItsTypeAndTag) {
  auto response = get("/f.json");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(body(response), "0123456789");
  EXPECT_EQ(response.headers["Accept-Ranges"], "bytes");
  EXPECT_EQ(get("/sub/g.bin").content_type, "application/octet-stream");
  EXPECT_EQ(body(get("/empty")), "");
}

TEST_F(StaticFiles, HiddenFilesFoldersLinksAndEscapesDoNotExist) {
  std::filesystem::create_symlink("f.json", dir_ / "link");
  std::filesystem::create_directory_symlink("/etc", dir_ / "etc");
  for (const char* path :
       {"/.hidden", "/sub/.git/config", "/../f.json", "/sub/../f.json", "/sub", "/", "/sub/",
        "//f.json", "/./f.json", "/absent", "/link", "/etc/passwd", "//etc/passwd"})
    EXPECT_EQ(get(path).status, 404) << path;
  EXPECT_EQ(get("/f.json", {}, "POST").status, 405);
}

TEST_F(StaticFiles, SingleRanges) {
  struct Case {
    const char* range;
    const char* body;
    const char* content_range;
  };
  for (const Case& c :
       {Case{"bytes=2-4", "234", "bytes 2-4/10"}, Case{"bytes=7-", "789", "bytes 7-9/10"},
        Case{"bytes=-3", "789", "bytes 7-9/10"}, Case{"bytes=8-99", "89", "bytes 8-9/10"},
        Case{"bytes=-99", "0123456789", "bytes 0-9/10"}}) {
    auto response = get("/f.json", {{"range", c.range}});
    EXPECT_EQ(response.status, 206) << c.range;
    EXPECT_EQ(body(response), c.body) << c.range;
    EXPECT_EQ(response.headers["Content-Range"], c.content_range);
  }
}

TEST_F(StaticFiles, RangesBeyondTheEndAreUnsatisfiable) {
  for (const char* range : {"bytes=10-", "bytes=10-20", "bytes=-0"}) {
    auto response = get("/f.json", {{"range", range}});
    EXPECT_EQ(response.status, 416) << range;
    EXPECT_EQ(response.headers["Content-Range"], "bytes */10");
  }
  EXPECT_EQ(get("/empty", {{"range", "bytes=0-"}}).status, 416);
}

TEST_F(StaticFiles, RangesThatAreNotUnderstoodAreIgnored) {
  for (const char* range : {"bytes=4-2", "bytes=a-b", "bytes=-", "bytes=1", "items=1-2",
                            "bytes=0-1,3-4", "bytes=99999999999999999999-", "bytes=+1-2"}) {
    auto response = get("/f.json", {{"range", range}});
    EXPECT_EQ(response.status, 200) << range;
    EXPECT_EQ(body(response).size(), 10u) << range;
  }
}

TEST_F(StaticFiles, ConditionsOnTheTag) {
  auto tag = get("/f.json").headers["ETag"];
  for (auto list : {tag, "\"other\", " + tag, "W/" + tag, std::string("*")}) {
    auto response = get("/f.json", {{"if-none-match", list}});
    EXPECT_EQ(response.status, 304) << list;
    EXPECT_FALSE(response.file);
  }
  EXPECT_EQ(get("/f.json", {{"if-none-match", "\"other\""}}).status, 200);
  EXPECT_EQ(get("/f.json", {{"range", "bytes=0-0"}, {"if-range", tag}}).status, 206);
  EXPECT_EQ(get("/f.json", {{"range", "bytes=0-0"}, {"if-range", "\"old\""}}).status, 200);
  dir_.write("f.json", "changed");
  EXPECT_EQ(get("/f.json", {{"if-none-match", tag}}).status, 200);
}

TEST_F(StaticFiles, ALargeFileArrivesWholeOverTheSocket) {
  std::mt19937_64 random(7);
  std::string content(5'000'001, '\0');
  for (char& c : content) c = static_cast<char>(random());
  dir_.write("large", content);
  test::ServerThread thread([&](const Request& request, const std::shared_ptr<Responder>& to) {
    to->send(serve_static(*beneath_, request));
  });
  thread.start();
  auto client = test::RawClient::tcp(thread.port());
  auto whole = client.exchange("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(whole.ends_with(content));
  auto part = client.exchange("GET /large HTTP/1.1\r\nHost: h\r\nRange: bytes=1000-1002\r\n\r\n");
  EXPECT_THAT(part, HasSubstr("206 Partial Content"));
  EXPECT_THAT(part, EndsWith(content.substr(1000, 3)));
  auto head = client.exchange("HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n", false);
  EXPECT_THAT(head, HasSubstr("Content-Length: 5000001"));
  EXPECT_THAT(client.exchange("GET /empty HTTP/1.1\r\nHost: h\r\n\r\n"), HasSubstr("200 OK"));
}

}  // namespace
}  // namespace shoal::http
