// Dictionaries are written with their keys in ascending order, as bencoding demands.
#include "tracker/response.hpp"

#include <algorithm>

#include "content/bencode.hpp"

namespace shoal::tracker {
namespace {

using content::BencodeWriter;

std::string take(BencodeWriter& writer) { return std::string(as_text(writer.take())); }

// BEP 23 (6 bytes each) or BEP 7 (18 bytes each).
Bytes compact(const std::vector<PeerEntry>& peers, bool v6) {
  Bytes bytes;
  for (const auto& peer : peers) {
    if (peer.address.v6 != v6) continue;
    auto first = peer.address.bytes.begin();
    bytes.insert(bytes.end(), first, first + (v6 ? 16 : 4));
    bytes.push_back(static_cast<std::uint8_t>(peer.port >> 8));
    bytes.push_back(static_cast<std::uint8_t>(peer.port & 0xff));
  }
  return bytes;
}

void write_dictionaries(BencodeWriter& writer, const Announce& announce,
                        const std::vector<PeerEntry>& peers) {
  writer.string("peers").begin_list();
  for (const auto& peer : peers) {
    writer.begin_dictionary().string("ip").string(peer.address.text());
    if (!announce.no_peer_id) writer.string("peer id").string(ByteView(peer.id));
    writer.string("port").integer(peer.port).end();
  }
  writer.end();
}

}  // namespace

std::string announce_body(const Announce& announce, const AnnounceAnswer& answer) {
  BencodeWriter writer;
  writer.begin_dictionary();
  writer.string("complete").integer(answer.counts.seeds);
  writer.string("downloaded").integer(static_cast<std::int64_t>(answer.counts.completed));
  writer.string("incomplete").integer(answer.counts.leechers);
  writer.string("interval").integer(answer.interval_s);
  writer.string("min interval").integer(answer.min_interval_s);
  if (announce.compact) {
    writer.string("peers").string(ByteView(compact(answer.peers, false)));
    auto v6 = compact(answer.peers, true);
    if (!v6.empty()) writer.string("peers6").string(ByteView(v6));
  } else {
    write_dictionaries(writer, announce, answer.peers);
  }
  writer.end();
  return take(writer);
}

std::string scrape_body(std::vector<std::pair<InfoHash, Counts>> files) {
  auto by_hash = [](const auto& a, const auto& b) { return a.first < b.first; };
  auto same_hash = [](const auto& a, const auto& b) { return a.first == b.first; };
  std::sort(files.begin(), files.end(), by_hash);
  files.erase(std::unique(files.begin(), files.end(), same_hash), files.end());
  BencodeWriter writer;
  writer.begin_dictionary().string("files").begin_dictionary();
  for (const auto& [hash, counts] : files) {
    writer.string(ByteView(hash)).begin_dictionary();
    writer.string("complete").integer(counts.seeds);
    writer.string("downloaded").integer(static_cast<std::int64_t>(counts.completed));
    writer.string("incomplete").integer(counts.leechers).end();
  }
  writer.end().end();
  return take(writer);
}

std::string failure_body(std::string_view reason) {
  BencodeWriter writer;
  writer.begin_dictionary().string("failure reason").string(reason).end();
  return take(writer);
}

}  // namespace shoal::tracker
