// The request and the outcome of a change as two JSON texts; what is only progress is not kept.
#include "agent/change_record.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace shoal::agent {
namespace {

using nlohmann::json;

template <typename Enum, std::size_t N>
Enum from_name(std::string_view name, const Enum (&values)[N]) {
  for (auto value : values)
    if (name_of(value) == name) return value;
  throw std::invalid_argument(fmt::format("unknown name '{}'", name));
}

constexpr ChangeKind kKinds[] = {ChangeKind::install, ChangeKind::update, ChangeKind::verify,
                                 ChangeKind::repair, ChangeKind::uninstall};
constexpr ChangeState kStates[] = {ChangeState::queued,   ChangeState::running, ChangeState::paused,
                                   ChangeState::waiting,  ChangeState::done,    ChangeState::failed,
                                   ChangeState::cancelled};
constexpr Priority kPriorities[] = {Priority::foreground, Priority::background};

json request_json(const ChangeRecord& record) {
  const auto& request = record.request;
  json out = {{"product", request.product},
              {"components", request.components},
              {"priority", name_of(request.priority)},
              {"target_version", record.view.version},
              {"from_version", record.view.from_version}};
  if (request.channel) out["channel"] = *request.channel;
  if (request.version) out["version"] = *request.version;
  if (request.library) out["library"] = *request.library;
  if (request.repository) out["repository"] = *request.repository;
  return out;
}

json outcome_json(const Change& view) {
  const auto& bytes = view.bytes;
  json out = {{"seconds", view.seconds},
              {"updated_at", view.updated_at.time_since_epoch().count()},
              {"bytes",
               {bytes.total, bytes.edge, bytes.peers, bytes.lan, bytes.reused, bytes.written,
                bytes.uploaded, bytes.fetched, bytes.delta}},
              {"notes", json::array()}};
  for (const auto& note : view.notes) out["notes"].push_back({note.path, note.note});
  if (view.error)
    out["error"] = {{"kind", info(view.error->kind).name},
                    {"message", view.error->message},
                    {"remedy", view.error->remedy}};
  return out;
}

void read_request(const json& in, ChangeRecord& record) {
  auto& request = record.request;
  request.product = in.at("product").get<std::string>();
  request.components = in.at("components").get<std::vector<std::string>>();
  request.priority = from_name(in.at("priority").get<std::string>(), kPriorities);
  if (in.contains("channel")) request.channel = in["channel"].get<std::string>();
  if (in.contains("version")) request.version = in["version"].get<std::string>();
  if (in.contains("library")) request.library = in["library"].get<std::string>();
  if (in.contains("repository")) request.repository = in["repository"].get<std::int64_t>();
  record.view.product = request.product;
  record.view.priority = request.priority;
  record.view.version = in.at("target_version").get<std::string>();
  record.view.from_version = in.at("from_version").get<std::string>();
}

void read_outcome(const json& in, Change& view) {
  view.seconds = in.at("seconds").get<double>();
  view.updated_at = UtcSeconds(std::chrono::seconds(in.at("updated_at").get<std::int64_t>()));
  auto counts = in.at("bytes").get<std::vector<std::uint64_t>>();
  counts.resize(9);  // fewer: by an earlier version of the daemon
  view.bytes = {counts[0], counts[1], counts[2], counts[3], counts[4],
                counts[5], counts[6], counts[7], counts[8]};
  for (const auto& note : in.at("notes"))
    view.notes.push_back({note.at(0).get<std::string>(), note.at(1).get<std::string>()});
  if (!in.contains("error")) return;
  const auto& error = in["error"];
  view.error = Error{error_kind_from_name(error.at("kind").get<std::string>()),
                     error.at("message").get<std::string>(), error.at("remedy").get<std::string>()};
}

}  // namespace

bool ChangeRecord::ended() const {
  return view.state == ChangeState::done || view.state == ChangeState::failed ||
         view.state == ChangeState::cancelled;
}

store::ChangeRow to_row(const ChangeRecord& record) {
  const auto& view = record.view;
  return {view.id,
          std::string(name_of(view.kind)),
          std::string(name_of(view.state)),
          record.install,
          view.created_at,
          request_json(record).dump(),
          outcome_json(view).dump(-1, ' ', false, json::error_handler_t::replace)};
}

Result<ChangeRecord> from_row(const store::ChangeRow& row) {
  ChangeRecord record;
  record.install = row.install;
  try {
    record.view.id = row.id;
    record.view.kind = from_name(row.kind, kKinds);
    record.view.state = from_name(row.state, kStates);
    record.view.created_at = row.created_at;
    record.request.kind = record.view.kind;
    read_request(json::parse(row.request_json), record);
    read_outcome(json::parse(row.outcome_json), record.view);
  } catch (const std::exception& error) {
    return fail(ErrorKind::state_corrupt, fmt::format("change {}: {}", row.id, error.what()));
  }
  return record;
}

}  // namespace shoal::agent
