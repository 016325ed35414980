// Errors that an operator, a user or the outside world can cause, and the one table of their kinds.
// A bug asserts; everything else travels as Result<T>.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace shoal {

// Stable: the names of these kinds are part of the local API (see error.cpp for the table).
enum class ErrorKind {
  invalid_request,        // malformed request, argument or configuration
  not_allowed,            // the caller, or the file system's permissions, forbid it
  not_found,              // no such product, install, file, change …
  conflict,               // clashes with something in progress or already there
  network,                // could not reach a server, or it broke off
  network_timeout,        // too slow: a connection, a body, a whole operation
  source_unavailable,     // no mirror and no peer has it now; waiting may help
  disk_full,              // no space left, or the plan would not fit
  read_only,              // read-only file system
  io_error,               // any other failure of the operating system's files
  verification_failed,    // bytes that do not match their signed hash
  metadata_invalid,       // signed metadata that breaks its format
  signature_invalid,      // not enough valid signatures
  metadata_expired,       // signed metadata past its expiry date
  metadata_rollback,      // older than what was trusted before
  path_invalid,           // a path that escapes, or breaks the rules of the design, section 4
  path_collision,         // two paths that are one after normalisation or case folding
  unsupported_file_type,  // FIFO, device, socket
  unsupported_version,    // a format or schema newer than this program
  too_large,              // beyond a named limit
  wrong_passphrase,       // key file could not be opened
  state_corrupt,          // our own database or journal does not make sense
  cancelled,              // by the user or at shutdown
  busy,                   // too many requests at once from one user
  daemon_unreachable,     // a client found no daemon at the socket
  internal,               // an exception from a third party that nothing above explains
};

struct ErrorKindInfo {
  ErrorKind kind;
  std::string_view name;    // snake_case, as the API shows it
  int http_status;          // of the local API
  int exit_code;            // of the command line (0 ok, 1 failed, 2 usage, 3 unreachable, …)
  bool retryable;           // whether the same request may succeed later, unchanged
  std::string_view remedy;  // what a person can do, unless the error says it better
};

const ErrorKindInfo& info(ErrorKind kind);
// The kind with that name; `internal` when there is none.
ErrorKind error_kind_from_name(std::string_view name);

// One failure: what was tried, on what and why it failed (`message`); what to do (`remedy`).
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
  std::string remedy;  // empty: the table's

  std::string_view remedy_or_default() const {
    return remedy.empty() ? info(kind).remedy : std::string_view(remedy);
  }
  bool retryable() const { return info(kind).retryable; }
  // "message (kind). remedy": for logs and terminals.
  std::string describe() const;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string message, std::string remedy = {}) {
  return std::unexpected(Error{kind, std::move(message), std::move(remedy)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

// The error of a failed system call: maps errno to a kind; message is "<action> <object>: <why>".
Error system_error(int error_number, std::string_view action, std::string_view object);

}  // namespace shoal

// Evaluates an expression that gives a Result; on failure returns its error from this function.
#define SHOAL_TRY(expression)                                    \
  do {                                                           \
    if (auto shoal_try_ = (expression); !shoal_try_.has_value()) \
      return std::unexpected(std::move(shoal_try_.error()));     \
  } while (false)

#define SHOAL_CONCAT_INNER(a, b) a##b
#define SHOAL_CONCAT(a, b) SHOAL_CONCAT_INNER(a, b)
// SHOAL_ASSIGN(auto x, make_x()): declares x from a Result, or returns its error.
#define SHOAL_ASSIGN(declaration, expression)                                         \
  auto SHOAL_CONCAT(shoal_result_, __LINE__) = (expression);                          \
  if (!SHOAL_CONCAT(shoal_result_, __LINE__).has_value())                             \
    return std::unexpected(std::move(SHOAL_CONCAT(shoal_result_, __LINE__).error())); \
  declaration = std::move(SHOAL_CONCAT(shoal_result_, __LINE__)).value()
