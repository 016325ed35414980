// The one table of error kinds: complete, without doubles, and stable, since the API and the exit
// codes of the command line are read from it.
#include "base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <vector>

#include "base/stop_token.hpp"

namespace shoal {
namespace {

// Every kind: they are numbered without gaps, and `internal` is the last.
std::vector<ErrorKind> all_kinds() {
  std::vector<ErrorKind> kinds;
  for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i)
    kinds.push_back(static_cast<ErrorKind>(i));
  return kinds;
}

TEST(ErrorTable, HasARowOfItsOwnForEveryKind) {
  std::set<std::string_view> names;
  for (ErrorKind kind : all_kinds()) {
    const auto& row = info(kind);
    EXPECT_EQ(row.kind, kind) << "no row for kind number " << static_cast<int>(kind);
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " is there twice";
  }
}

TEST(ErrorTable, NamesAreSnakeCaseAndLeadBackToTheirKind) {
  for (ErrorKind kind : all_kinds()) {
    auto name = info(kind).name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
    EXPECT_EQ(error_kind_from_name(name), kind);
  }
  EXPECT_EQ(error_kind_from_name("no_such_kind"), ErrorKind::internal);
}

TEST(ErrorTable, EveryRowHasARemedyAHttpStatusAndADocumentedExitCode) {
  const std::set<int> documented = {1, 2, 3, 4, 5, 6, 7, 8, 9, 130};
  for (ErrorKind kind : all_kinds()) {
    const auto& row = info(kind);
    EXPECT_FALSE(row.remedy.empty()) << row.name;
    EXPECT_EQ(row.remedy.back(), '.') << row.name;
    EXPECT_GE(row.http_status, 400) << row.name;
    EXPECT_LT(row.http_status, 600) << row.name;
    EXPECT_TRUE(documented.contains(row.exit_code)) << row.name;
  }
}

// Each of these kinds is met by players, publishers and clients of the API alike.
TEST(ErrorTable, RemediesSuitWhoeverReadsThem) {
  for (ErrorKind kind : all_kinds()) {
    auto remedy = info(kind).remedy;
    if (kind == ErrorKind::unsupported_file_type) continue;  // only a publisher meets it
    EXPECT_EQ(remedy.find("publish again"), std::string_view::npos) << remedy;
    EXPECT_EQ(remedy.find("'shoal list'"), std::string_view::npos) << remedy;
  }
}

TEST(ErrorTable, KeepsTheExitCodesThatScriptsRelyOn) {
  EXPECT_EQ(info(ErrorKind::invalid_request).exit_code, 2);
  EXPECT_EQ(info(ErrorKind::not_allowed).exit_code, 4);
  EXPECT_EQ(info(ErrorKind::not_found).exit_code, 5);
  EXPECT_EQ(info(ErrorKind::conflict).exit_code, 6);
  EXPECT_EQ(info(ErrorKind::network).exit_code, 7);
  EXPECT_EQ(info(ErrorKind::disk_full).exit_code, 8);
  EXPECT_EQ(info(ErrorKind::verification_failed).exit_code, 9);
  EXPECT_EQ(info(ErrorKind::cancelled).exit_code, 130);
}

TEST(Error, DescribesWhatWhyAndWhatToDo) {
  Error plain{ErrorKind::disk_full, "write /lib/a: no space", {}};
  EXPECT_EQ(plain.describe(),
            "write /lib/a: no space (disk_full). Free some disk space and try again.");
  Error special{ErrorKind::disk_full, "write /lib/a: no space", "Delete /lib/b."};
  EXPECT_EQ(special.describe(), "write /lib/a: no space (disk_full). Delete /lib/b.");
}

TEST(SystemError, MapsTheErrnosThatUsersMeet) {
  struct Row {
    int number;
    ErrorKind kind;
  };
  for (auto [number, kind] :
       {Row{ENOENT, ErrorKind::not_found}, Row{EACCES, ErrorKind::not_allowed},
        Row{EPERM, ErrorKind::not_allowed}, Row{ENOSPC, ErrorKind::disk_full},
        Row{EDQUOT, ErrorKind::disk_full}, Row{EROFS, ErrorKind::read_only},
        Row{ELOOP, ErrorKind::path_invalid}, Row{EXDEV, ErrorKind::path_invalid},
        Row{ECONNREFUSED, ErrorKind::network}, Row{ETIMEDOUT, ErrorKind::network_timeout},
        Row{EIO, ErrorKind::io_error}, Row{EMFILE, ErrorKind::io_error}}) {
    auto error = system_error(number, "open", "/some/file");
    EXPECT_EQ(error.kind, kind) << number;
    EXPECT_TRUE(error.message.starts_with("open /some/file: ")) << error.message;
  }
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorKind::invalid_request, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  SHOAL_ASSIGN(int halved, half(value));
  SHOAL_TRY(half(halved));
  return halved / 2;
}

TEST(ResultMacros, PassValuesOnAndReturnTheFirstError) {
  EXPECT_EQ(quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(3).error().kind, ErrorKind::invalid_request);
}

TEST(StopToken, IsSharedByItsCopies) {
  StopToken token;
  StopToken copy = token;
  EXPECT_TRUE(copy.check());
  token.request_stop();
  EXPECT_TRUE(copy.stop_requested());
  EXPECT_EQ(copy.check().error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace shoal
