// The record travels as CBOR: JSON's structure with binary strings for the documents.
#include "agent/commit_record.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

namespace shoal::agent {

using nlohmann::json;

CommitRecord make_commit_record(store::InstallRow row, std::string change,
                                const LoadedRelease& release, Bytes journal) {
  CommitRecord record;
  record.row = std::move(row);
  record.change = std::move(change);
  for (const auto& component : release.components)
    record.components.push_back(component.target.component->name);
  std::vector<std::vector<FileStamp>> no_stamps(release.components.size());
  record.documents = to_documents(release, no_stamps);
  std::erase_if(record.documents,
                [](const auto& document) { return document.name.ends_with(".stamps"); });
  record.journal = std::move(journal);
  return record;
}

Bytes format_commit_record(const CommitRecord& record) {
  const auto& row = record.row;
  json out = {{"install", row.id},
              {"repository", row.repository},
              {"product", row.product},
              {"channel", row.channel},
              {"version", row.version},
              {"library", row.library},
              {"folder", row.folder},
              {"updated_at", row.updated_at.time_since_epoch().count()},
              {"change", record.change},
              {"components", record.components},
              {"journal", json::binary(record.journal)},
              {"documents", json::array()}};
  for (const auto& document : record.documents)
    out["documents"].push_back({document.name, json::binary(document.bytes)});
  return json::to_cbor(out);
}

Result<CommitRecord> parse_commit_record(ByteView bytes) {
  CommitRecord record;
  try {
    auto in = json::from_cbor(bytes.begin(), bytes.end());
    auto& row = record.row;
    row.id = in.at("install").get<std::int64_t>();
    row.repository = in.at("repository").get<std::int64_t>();
    row.product = in.at("product").get<std::string>();
    row.channel = in.at("channel").get<std::string>();
    row.version = in.at("version").get<std::string>();
    row.library = in.at("library").get<std::string>();
    row.folder = in.at("folder").get<std::string>();
    row.updated_at = UtcSeconds(std::chrono::seconds(in.at("updated_at").get<std::int64_t>()));
    record.change = in.at("change").get<std::string>();
    record.components = in.at("components").get<std::vector<std::string>>();
    record.journal = in.at("journal").get_binary();
    for (const auto& document : in.at("documents"))
      record.documents.push_back(
          {document.at(0).get<std::string>(), Bytes(document.at(1).get_binary())});
  } catch (const json::exception& error) {
    return fail(ErrorKind::state_corrupt, fmt::format("commit record: {}", error.what()));
  }
  return record;
}

Result<install::CommitOutcome> carry_out(store::Store& store, const BeneathDir& library,
                                         const CommitRecord& record,
                                         const install::StepHook& step) {
  SHOAL_ASSIGN(auto outcome, install::roll_forward(library, record.journal, step));
  auto documents = record.documents;
  if (outcome.stamps.size() != record.components.size())
    return fail(ErrorKind::state_corrupt, "commit record: its journal is of another change");
  for (std::size_t i = 0; i < record.components.size(); ++i)
    documents.push_back(
        {record.components[i] + ".stamps", install::format_stamps(outcome.stamps[i])});
  if (step) step("commit.finish");
  SHOAL_TRY(store.finish_commit(record.row, documents));
  return outcome;
}

}  // namespace shoal::agent
