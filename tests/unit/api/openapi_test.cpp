// openapi.yaml and the route table describe the same API. Reads the YAML by its indentation: paths
// at two spaces, methods at four, under "paths:".
#include "protocol/openapi.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "api/routes.hpp"
#include "base/error.hpp"
#include "support/temp_dir.hpp"

namespace shoal::api {
namespace {

std::filesystem::path openapi_path() {
  return SHOAL_OPENAPI_YAML;  // from tests/CMakeLists.txt
}

// "GET /v1/system" for every operation of the file.
std::set<std::string> described_operations() {
  std::set<std::string> operations;
  std::ifstream file(openapi_path());
  std::string line, path;
  bool in_paths = false;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] != ' ') in_paths = line == "paths:";
    if (!in_paths || !line.ends_with(':')) continue;
    std::size_t indent = line.find_first_not_of(' ');
    std::string key = line.substr(indent, line.size() - indent - 1);
    if (indent == 2) path = key;
    if (indent == 4 && key != "parameters") {
      for (char& c : key) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      operations.insert(key + " " + path);
    }
  }
  return operations;
}

TEST(OpenApi, DescribesExactlyTheRoutes) {
  std::set<std::string> served;
  for (const auto& route : routes())
    served.insert(std::string(route.method) + " " + std::string(route.pattern));
  EXPECT_EQ(described_operations(), served);
}

TEST(OpenApi, IsServedAsItIsWritten) {
  EXPECT_EQ(protocol::openapi_yaml(), test::read_text(openapi_path()));
}

TEST(OpenApi, NamesEveryErrorKind) {
  std::string text = test::read_text(openapi_path());
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind) {
    std::string name(info(static_cast<ErrorKind>(kind)).name);
    EXPECT_NE(text.find("- " + name + "\n"), std::string::npos) << name;
  }
}

TEST(Routes, MatchWholeSegmentsOnly) {
  EXPECT_EQ(find_route("GET", "/v1/changes/c1").id, "c1");
  EXPECT_EQ(find_route("POST", "/v1/changes/c1/pause").id, "c1");
  EXPECT_EQ(find_route("GET", "/v1/changes/").route, nullptr);
  EXPECT_EQ(find_route("GET", "/v1/changes/c1/").route, nullptr);
  EXPECT_EQ(find_route("GET", "").route, nullptr);
  EXPECT_EQ(find_route("get", "/v1/system").route, nullptr);
  EXPECT_EQ(find_route("PUT", "/v1/changes").allowed, (std::vector<std::string>{"GET", "POST"}));
}

}  // namespace
}  // namespace shoal::api
