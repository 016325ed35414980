// Private to install: the bytes of our own documents (stamps, the commit's journal). Numbers are
// LEB128, texts are prefixed with their length, and the whole is closed by a SHA-256, so that a
// torn or foreign document is noticed before any of it is believed.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/file.hpp"

namespace shoal::install {

class WireWriter {
 public:
  // `magic` names the document, `version` its format.
  WireWriter(const std::array<char, 4>& magic, std::uint8_t version);
  void number(std::uint64_t value);
  void signed_number(std::int64_t value);
  void text(std::string_view text);
  void stamp(const FileStamp& stamp);
  Bytes finish();  // with the checksum

 private:
  Bytes bytes_;
};

// Every read can fail with state_corrupt, never beyond the bytes.
class WireReader {
 public:
  // Checks magic, version and checksum. Errors: state_corrupt, unsupported_version.
  static Result<WireReader> open(ByteView bytes, const std::array<char, 4>& magic,
                                 std::uint8_t version, std::string_view what);
  Result<std::uint64_t> number();
  Result<std::int64_t> signed_number();
  Result<std::string> text();
  Result<FileStamp> stamp();
  // A number of things that take at least `bytes_each` bytes: refused when they cannot be there.
  Result<std::size_t> count(std::size_t bytes_each);
  Result<void> expect_end() const;

 private:
  WireReader(ByteView rest, std::string_view what) : rest_(rest), what_(what) {}
  std::unexpected<Error> corrupt() const;

  ByteView rest_;
  std::string what_;
};

}  // namespace shoal::install
