// What the headers of a request ask of a file: a part of it, or nothing when the client has it
// already (RFC 9110, 13.1.2 and 14.1.2). Pure. Private to the module.
#pragma once

#include <cstdint>
#include <string_view>

namespace shoal::http {

struct FileRange {
  enum class Kind { whole, part, unsatisfiable };
  Kind kind = Kind::whole;
  std::uint64_t offset = 0;  // within the file; both 0 when unsatisfiable
  std::uint64_t length = 0;
};

// "bytes=a-b", "bytes=a-" or "bytes=-n". A header that is malformed, of several ranges or in
// another unit is ignored (14.2): the whole file.
FileRange parse_range(std::string_view text, std::uint64_t file_bytes);

// Whether an If-None-Match header names the tag, by weak comparison.
bool names_tag(std::string_view list, std::string_view tag);

}  // namespace shoal::http
