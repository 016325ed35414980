// The head of a delta artifact, and the record of a delta that stands alone: files from anywhere.
#include "delta/artifact.hpp"
#include "delta/tree_record.hpp"
#include "fuzzer.hpp"

namespace {

using namespace shoal;

content::Component delta_tree_of(
    std::initializer_list<std::pair<const char*, std::uint64_t>> files) {
  content::Component tree;
  for (const auto& [name, size] : files) {
    content::FileEntry file{RelativePath::parse(name).value()};
    file.size = size;
    file.root = sha256(as_bytes(name));
    tree.files.push_back(std::move(file));
  }
  return tree;
}

delta::ReadNext delta_reader(ByteView& bytes) {
  return [&bytes](MutableByteView out) -> Result<void> {
    if (out.size() > bytes.size()) return fail(ErrorKind::metadata_invalid, "cut off");
    std::copy_n(bytes.begin(), out.size(), out.begin());
    bytes = bytes.subspan(out.size());
    return {};
  };
}

void try_head(ByteView bytes, const content::Component& old_tree,
              const content::Component& new_tree) {
  const auto head = delta::read_head(delta_reader(bytes), old_tree.files, new_tree.files);
  if (!head) return;
  const Bytes written = delta::format_head(old_tree.files, new_tree.files, *head);
  ByteView rest = written;
  const auto again = delta::read_head(delta_reader(rest), old_tree.files, new_tree.files);
  fuzz::require(again.has_value(), "a head that was written reads back");
  fuzz::require(again->new_bytes() == head->new_bytes(), "and makes as much");
}

// With roots as they would come out.
content::Component completed(const delta::TreeRecord& record, const content::Component& old_tree) {
  auto tree = record.tree;
  for (std::size_t i = 0; i < tree.files.size(); ++i) {
    auto& root = tree.files[i].root;
    const auto& origin = record.origins[i];
    switch (origin.kind) {
      case delta::Origin::Kind::empty:
        break;
      case delta::Origin::Kind::old_file:
        root = old_tree.files[origin.source.value()].root;
        break;
      case delta::Origin::Kind::new_file:
        fuzz::require(origin.source.value() < i, "a copy comes behind its source");
        root = tree.files[origin.source.value()].root;
        break;
      case delta::Origin::Kind::made:
        root = sha256(as_bytes(tree.files[i].path.text()));
        std::ranges::copy(record.root_starts[i], root.bytes.begin());
        break;
    }
  }
  return tree;
}

void try_record(ByteView bytes, const content::Component& old_tree) {
  const auto record = delta::read_tree_record(delta_reader(bytes), old_tree);
  if (!record) return;
  const auto tree = completed(*record, old_tree);
  const Bytes written = delta::format_tree_record(old_tree, tree);
  ByteView rest = written;
  const auto again = delta::read_tree_record(delta_reader(rest), old_tree);
  fuzz::require(again.has_value(), "a record that was written reads back");
  fuzz::require(
      delta::tree_identity(completed(*again, old_tree).files) == delta::tree_identity(tree.files),
      "and is the same tree");
}

}  // namespace

SHOAL_FUZZER(delta_artifact) {
  const auto old_tree = delta_tree_of({{"a", 1000}, {"b", 2000}, {"c", 0}});
  const auto new_tree = delta_tree_of({{"b", 2000}, {"d", 700}, {"e", 1500}});
  try_head(bytes, old_tree, new_tree);
  try_record(bytes, old_tree);

  // Behind the identities and the digests, which no mutation would get past.
  Bytes body;
  const auto append = [&body](ByteView more) { body.insert(body.end(), more.begin(), more.end()); };
  append(delta::tree_identity(old_tree.files).bytes);
  append(delta::tree_identity(new_tree.files).bytes);
  append(bytes);
  try_head(delta::seal_sized(delta::kArtifactMagic, delta::kArtifactVersion, body), old_tree,
           new_tree);
  body.clear();
  append(delta::tree_listing(old_tree.files).bytes);
  append(bytes);
  Bytes record = delta::seal_sized(delta::kTreeRecordMagic, delta::kTreeRecordVersion, body);
  const Digest digest = sha256(body);
  record.insert(record.end(), digest.bytes.begin(), digest.bytes.end());
  try_record(record, old_tree);
}
