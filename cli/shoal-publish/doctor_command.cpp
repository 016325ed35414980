// The doctor's report: the roles with what they need, then what is wrong, the gravest first.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "ceremony.hpp"
#include "cli/usage/sanitised.hpp"
#include "publish/doctor.hpp"
#include "publish/review.hpp"
#include "report.hpp"

namespace shoal::cli {
namespace {

using nlohmann::json;

json to_json(const publish::DoctorReport& report) {
  json roles = json::array();
  for (const auto& role : report.roles) {
    json keys = json::array();
    for (const auto& key : role.keys)
      keys.push_back({{"key_id", key.id}, {"words", key.words}, {"here", key.here}});
    roles.push_back({{"role", role.role},
                     {"version", role.version},
                     {"expires", format_utc(role.expires)},
                     {"threshold", role.threshold},
                     {"keys", std::move(keys)}});
  }
  json findings = json::array();
  for (const auto& finding : report.findings)
    findings.push_back({{"severity", name_of(finding.severity)},
                        {"role", finding.role},
                        {"message", finding.message},
                        {"remedy", finding.remedy}});
  return {{"roles", std::move(roles)},
          {"findings", std::move(findings)},
          {"will_break", report.will_break()}};
}

}  // namespace

Result<int> doctor(const CommonOptions& common) {
  auto keys = keys_of(common);
  SHOAL_ASSIGN(auto report, publish::diagnose(common.repository, SystemClock().now(),
                                              common.keys.empty() ? nullptr : &keys));
  if (common.json) {
    print_json(to_json(report));
    return report.will_break() ? kFailed : kOk;
  }
  for (const auto& role : report.roles) {
    fmt::print("{} {}: until {}, {} of {} keys must sign\n", publish::printable(role.role),
               role.version, format_utc(role.expires), role.threshold, role.keys.size());
    for (const auto& key : role.keys)
      fmt::print("  {}  {}{}\n", publish::printable(key.id.substr(0, 8)), key.words,
                 key.here ? "  (here)" : "");
  }
  for (const auto& finding : report.findings)
    fmt::print("{}: {}{}{}. {}\n", name_of(finding.severity), sanitised(finding.role),
               finding.role.empty() ? "" : ": ", sanitised(finding.message),
               sanitised(finding.remedy));
  fmt::print("{}\n",
             report.will_break()
                 ? fmt::format("Clients will be refused within {} days, if they are not "
                               "already.",
                               publish::kDoctorHorizon.count())
                 : "Clients will not be refused within 30 days, as long as 'refresh' runs.");
  return report.will_break() ? kFailed : kOk;
}

}  // namespace shoal::cli
