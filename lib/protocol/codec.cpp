// Every message names its fields once, in describe(); a writer and a reader walk that list, so the
// two directions cannot drift apart.
#include "protocol/codec.hpp"

#include <concepts>
#include <limits>

#include "protocol/json_reader.hpp"

namespace shoal::protocol {
namespace {

template <typename T, typename Message>
concept Of = std::same_as<std::remove_const_t<T>, Message>;

template <typename Visitor>
void describe(Visitor& v, Of<Config> auto& m) {
  v.field("consent", m.consent);
  v.field("upload_bytes_per_s", m.upload_bytes_per_s);
  v.field("download_bytes_per_s", m.download_bytes_per_s);
  v.field("policy", m.policy);
}

template <typename Visitor>
void describe(Visitor& v, Of<ConfigUpdate> auto& m) {
  v.field("consent", m.consent);
  v.field("upload_bytes_per_s", m.upload_bytes_per_s);
  v.field("download_bytes_per_s", m.download_bytes_per_s);
  v.field("policy", m.policy);
}

template <typename Visitor>
void describe(Visitor& v, Of<System> auto& m) {
  v.field("version", m.version);
  v.field("state_dir", m.state_dir);
  v.field("libraries", m.libraries);
  v.field("listen", m.listen);
  v.field("config", m.config);
  v.field("edge_bytes", m.edge_bytes);
  v.field("peers_bytes", m.peers_bytes);
  v.field("uploaded_bytes", m.uploaded_bytes);
  v.field("uptime_s", m.uptime_s);
  v.field("may_act", m.may_act);
}

template <typename Visitor>
void describe(Visitor& v, Of<Mirror> auto& m) {
  v.field("url", m.url);
  v.field("dropped", m.dropped);
  v.field("last_error", m.last_error);
  v.field("bytes", m.bytes);
  v.field("wrong_pieces", m.wrong_pieces);
}

template <typename Visitor>
void describe(Visitor& v, Of<ProductProblem> auto& m) {
  v.field("product", m.product);
  v.field("error", m.error);
}

template <typename Visitor>
void describe(Visitor& v, Of<Repository> auto& m) {
  v.field("id", m.id);
  v.field("url", m.url);
  v.field("added_at", m.added_at);
  v.field("refreshed_at", m.refreshed_at);
  v.field("last_error", m.last_error);
  v.field("problems", m.problems);
  v.field("mirrors", m.mirrors);
  v.field("trackers", m.trackers);
  v.field("dht", m.dht);
  v.field("policy", m.policy);
  v.field("policy_source", m.policy_source);
}

template <typename Visitor>
void describe(Visitor& v, Of<AddRepository> auto& m) {
  v.field("url", m.url);
  v.field("root_json", m.root_json);
}

template <typename Visitor>
void describe(Visitor& v, Of<Product> auto& m) {
  v.field("product", m.product);
  v.field("repository", m.repository);
  v.field("channels", m.channels);
  v.field("versions", m.versions);
}

template <typename Visitor>
void describe(Visitor& v, Of<Install> auto& m) {
  v.field("id", m.id);
  v.field("product", m.product);
  v.field("channel", m.channel);
  v.field("version", m.version);
  v.field("available_version", m.available_version);
  v.field("library", m.library);
  v.field("path", m.path);
  v.field("size_bytes", m.size_bytes);
  v.field("kept_delta_bytes", m.kept_delta_bytes);
  v.field("seeding", m.seeding);
  v.field("uploaded_bytes", m.uploaded_bytes);
  v.field("peers_connected", m.peers_connected);
  v.field("launch_executable", m.launch_executable);
  v.field("launch_arguments", m.launch_arguments);
  v.field("updated_at", m.updated_at);
  v.field("current_change", m.current_change);
}

template <typename Visitor>
void describe(Visitor& v, Of<ChangeRequest> auto& m) {
  v.field("kind", m.kind);
  v.field("product", m.product);
  v.field("channel", m.channel);
  v.field("version", m.version);
  v.field("library", m.library);
  v.field("repository", m.repository);
  v.optional_field("components", m.components);
  v.optional_field("priority", m.priority);
}

template <typename Visitor>
void describe(Visitor& v, Of<ComponentPlan> auto& m) {
  v.field("component", m.component);
  v.field("way", m.way);
  v.field("reason", m.reason);
  v.field("fetch_bytes", m.fetch_bytes);
  v.field("edge_bytes", m.edge_bytes);
  v.field("write_bytes", m.write_bytes);
  v.field("peak_extra_bytes", m.peak_extra_bytes);
}

template <typename Visitor>
void describe(Visitor& v, Of<Plan> auto& m) {
  v.field("kind", m.kind);
  v.field("product", m.product);
  v.field("version", m.version);
  v.field("from_version", m.from_version);
  v.field("fetch_bytes", m.fetch_bytes);
  v.field("edge_bytes", m.edge_bytes);
  v.field("reuse_bytes", m.reuse_bytes);
  v.field("delta_bytes", m.delta_bytes);
  v.field("write_bytes", m.write_bytes);
  v.field("peak_extra_bytes", m.peak_extra_bytes);
  v.field("final_bytes", m.final_bytes);
  v.field("free_bytes", m.free_bytes);
  v.field("moved_aside", m.moved_aside);
  v.field("components", m.components);
  v.field("nothing_to_do", m.nothing_to_do);
}

template <typename Visitor>
void describe(Visitor& v, Of<ByteCounts> auto& m) {
  v.field("total", m.total);
  v.field("edge", m.edge);
  v.field("peers", m.peers);
  v.field("lan", m.lan);
  v.field("reused", m.reused);
  v.field("written", m.written);
  v.field("uploaded", m.uploaded);
  v.field("fetched", m.fetched);
  v.field("delta", m.delta);
}

template <typename Visitor>
void describe(Visitor& v, Of<Task> auto& m) {
  v.field("kind", m.kind);
  v.field("state", m.state);
  v.field("done_bytes", m.done_bytes);
  v.field("total_bytes", m.total_bytes);
}

template <typename Visitor>
void describe(Visitor& v, Of<FileNote> auto& m) {
  v.field("path", m.path);
  v.field("note", m.note);
}

template <typename Visitor>
void describe(Visitor& v, Of<Change> auto& m) {
  v.field("id", m.id);
  v.field("kind", m.kind);
  v.field("state", m.state);
  v.field("product", m.product);
  v.field("version", m.version);
  v.field("from_version", m.from_version);
  v.field("priority", m.priority);
  v.field("tasks", m.tasks);
  v.field("bytes", m.bytes);
  v.field("edge_bytes_per_s", m.edge_bytes_per_s);
  v.field("peers_bytes_per_s", m.peers_bytes_per_s);
  v.field("peers_connected", m.peers_connected);
  v.field("eta_s", m.eta_s);
  v.field("waiting_for", m.waiting_for);
  v.field("notes", m.notes);
  v.field("notes_total", m.notes_total);
  v.field("error", m.error);
  v.field("created_at", m.created_at);
  v.field("updated_at", m.updated_at);
  v.field("seconds", m.seconds);
}

template <typename Visitor>
void describe(Visitor& v, Of<Removed> auto& m) {
  v.field("resource", m.resource);
  v.field("id", m.id);
}

template <typename Visitor>
void describe(Visitor& v, Of<Repositories> auto& m) {
  v.field("repositories", m.repositories);
}

template <typename Visitor>
void describe(Visitor& v, Of<Products> auto& m) {
  v.field("products", m.products);
}

template <typename Visitor>
void describe(Visitor& v, Of<Installs> auto& m) {
  v.field("installs", m.installs);
}

template <typename Visitor>
void describe(Visitor& v, Of<Changes> auto& m) {
  v.field("changes", m.changes);
}

template <typename Visitor>
void describe(Visitor& v, Of<Status> auto& m) {
  v.field("system", m.system);
  v.field("changes", m.changes);
  v.field("repositories", m.repositories);
}

// Fields in the order of the description, which is the order for people to read.
using OrderedJson = nlohmann::ordered_json;

OrderedJson write(const Error& error) {
  return {{"kind", info(error.kind).name},
          {"message", error.message},
          {"remedy", error.remedy_or_default()},
          {"retryable", error.retryable()}};
}
OrderedJson write(bool value) { return value; }
OrderedJson write(double value) { return value; }
OrderedJson write(std::int64_t value) { return value; }
OrderedJson write(std::uint64_t value) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  return value < kMax ? value : kMax;
}
OrderedJson write(std::uint32_t value) { return value; }
OrderedJson write(const std::string& value) { return value; }
OrderedJson write(UtcSeconds value) { return format_utc(value); }
template <typename Enum>
  requires std::is_enum_v<Enum>
OrderedJson write(Enum value) {
  return name_of(value);
}
OrderedJson write(const std::map<std::string, std::string>& map) { return map; }

class Writer {
 public:
  template <typename T>
  void field(const char* name, const T& value);
  template <typename T>
  void field(const char* name, const std::optional<T>& value) {
    if (value) field(name, *value);
  }
  template <typename T>
  void field(const char* name, const std::vector<T>& values);
  template <typename T>
  void optional_field(const char* name, const T& value) {
    field(name, value);
  }
  OrderedJson take() { return std::move(json_); }

 private:
  OrderedJson json_ = OrderedJson::object();
};

template <typename Message>
  requires std::is_class_v<Message>
OrderedJson write(const Message& message) {
  Writer writer;
  describe(writer, message);
  return writer.take();
}

template <typename T>
void Writer::field(const char* name, const T& value) {
  json_[name] = write(value);
}

template <typename T>
void Writer::field(const char* name, const std::vector<T>& values) {
  auto array = OrderedJson::array();
  for (const auto& value : values) array.push_back(write(value));
  json_[name] = std::move(array);
}

}  // namespace

void read(const Json& json, Error& out, const std::string& path, ReadContext& context) {
  ObjectReader reader(json, path, context);
  std::string kind;
  bool retryable = false;
  reader.field("kind", kind);
  reader.field("message", out.message);
  reader.field("remedy", out.remedy);
  reader.field("retryable", retryable);  // follows from the kind
  reader.finish();
  out.kind = error_kind_from_name(kind);
}

template <typename Message>
  requires std::is_class_v<Message>
void read(const Json& json, Message& out, const std::string& path, ReadContext& context) {
  ObjectReader reader(json, path, context);
  describe(reader, out);
  reader.finish();
}

template <typename Message>
std::string encode(const Message& message) {
  return write(message).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

template <typename Message>
Result<Message> decode(std::string_view json, UnknownFields unknown) {
  SHOAL_ASSIGN(Json parsed, parse_json(json));
  ReadContext context{unknown, std::nullopt};
  Message message{};
  read(parsed, message, "", context);
  if (context.error) return fail(std::move(*context.error));
  return message;
}

#define SHOAL_PROTOCOL_MESSAGE(Message)                 \
  template std::string encode<Message>(const Message&); \
  template Result<Message> decode<Message>(std::string_view, UnknownFields);
SHOAL_PROTOCOL_MESSAGE(Error)
SHOAL_PROTOCOL_MESSAGE(Config)
SHOAL_PROTOCOL_MESSAGE(ConfigUpdate)
SHOAL_PROTOCOL_MESSAGE(System)
SHOAL_PROTOCOL_MESSAGE(Repository)
SHOAL_PROTOCOL_MESSAGE(Repositories)
SHOAL_PROTOCOL_MESSAGE(AddRepository)
SHOAL_PROTOCOL_MESSAGE(Product)
SHOAL_PROTOCOL_MESSAGE(Products)
SHOAL_PROTOCOL_MESSAGE(Install)
SHOAL_PROTOCOL_MESSAGE(Installs)
SHOAL_PROTOCOL_MESSAGE(ChangeRequest)
SHOAL_PROTOCOL_MESSAGE(Plan)
SHOAL_PROTOCOL_MESSAGE(Change)
SHOAL_PROTOCOL_MESSAGE(Changes)
SHOAL_PROTOCOL_MESSAGE(Removed)
SHOAL_PROTOCOL_MESSAGE(Status)
#undef SHOAL_PROTOCOL_MESSAGE

}  // namespace shoal::protocol
