// The one table of error kinds: name, HTTP status, exit code, retryable, default remedy. The API,
// the command line and the documentation all read it, so that a kind means the same everywhere.
#include "base/error.hpp"

#include <array>
#include <cerrno>
#include <system_error>

namespace shoal {
namespace {

using K = ErrorKind;

constexpr std::array kTable = {
    ErrorKindInfo{K::invalid_request, "invalid_request", 400, 2, false,
                  "Correct it and try again."},
    ErrorKindInfo{K::not_allowed, "not_allowed", 403, 4, false,
                  "Check the permissions, or ask an administrator."},
    ErrorKindInfo{K::not_found, "not_found", 404, 5, false, "Check the name."},
    ErrorKindInfo{K::conflict, "conflict", 409, 6, false,
                  "Wait for the other operation to finish, or cancel it."},
    ErrorKindInfo{K::network, "network", 502, 7, true, "Check the connection and try again."},
    ErrorKindInfo{K::network_timeout, "network_timeout", 504, 7, true,
                  "Check the connection and try again."},
    ErrorKindInfo{K::source_unavailable, "source_unavailable", 503, 7, true,
                  "Try again later; if it stays so, tell the publisher."},
    ErrorKindInfo{K::disk_full, "disk_full", 507, 8, true, "Free some disk space and try again."},
    ErrorKindInfo{K::read_only, "read_only", 500, 1, false,
                  "Choose a library on a file system that can be written to."},
    ErrorKindInfo{K::io_error, "io_error", 500, 1, true,
                  "Check the disk and the file's permissions, then try again."},
    ErrorKindInfo{K::verification_failed, "verification_failed", 500, 9, true,
                  "Try again. If it happens again, tell the publisher."},
    ErrorKindInfo{K::metadata_invalid, "metadata_invalid", 502, 9, false,
                  "Tell the publisher: the repository is damaged."},
    ErrorKindInfo{K::signature_invalid, "signature_invalid", 502, 9, false,
                  "Do not trust this repository's answer; tell the publisher."},
    ErrorKindInfo{K::metadata_expired, "metadata_expired", 502, 9, true,
                  "Check this machine's clock; otherwise wait for the publisher to refresh."},
    ErrorKindInfo{K::metadata_rollback, "metadata_rollback", 502, 9, true,
                  "The mirror serves old metadata; wait, or tell the publisher."},
    ErrorKindInfo{K::path_invalid, "path_invalid", 400, 9, false,
                  "Rename it, or remove what is in its way."},
    ErrorKindInfo{K::path_collision, "path_collision", 409, 9, false, "Rename one of the two."},
    ErrorKindInfo{
        K::unsupported_file_type, "unsupported_file_type", 400, 1, false,
        "Remove it from the tree: only files, folders and symbolic links can be published."},
    ErrorKindInfo{K::unsupported_version, "unsupported_version", 501, 1, false, "Update Shoal."},
    ErrorKindInfo{K::too_large, "too_large", 413, 1, false, "Stay within the limit that is named."},
    ErrorKindInfo{K::wrong_passphrase, "wrong_passphrase", 403, 4, false,
                  "Set SHOAL_PASSPHRASE, or enter the passphrase again."},
    ErrorKindInfo{K::state_corrupt, "state_corrupt", 500, 1, false,
                  "Keep a copy of the state folder and report it."},
    ErrorKindInfo{K::cancelled, "cancelled", 409, 130, true, "Start it again when you want it."},
    ErrorKindInfo{K::busy, "busy", 429, 1, true, "Wait for the earlier requests to be answered."},
    ErrorKindInfo{K::daemon_unreachable, "daemon_unreachable", 503, 3, true,
                  "Start the daemon ('systemctl start shoald'), or name its socket with --socket."},
    ErrorKindInfo{K::internal, "internal", 500, 1, false, "Report it, with the log."},
};

ErrorKind kind_of_errno(int error_number) {
  switch (error_number) {
    case ENOENT:
      return K::not_found;
    case EACCES:
    case EPERM:
      return K::not_allowed;
    case ENOSPC:
    case EDQUOT:
      return K::disk_full;
    case EROFS:
      return K::read_only;
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
    case ENOTDIR:
      return K::path_invalid;
    case ETIMEDOUT:
      return K::network_timeout;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return K::network;
    default:
      return K::io_error;
  }
}

}  // namespace

const ErrorKindInfo& info(ErrorKind kind) {
  for (const auto& row : kTable)
    if (row.kind == kind) return row;
  return kTable.back();
}

ErrorKind error_kind_from_name(std::string_view name) {
  for (const auto& row : kTable)
    if (row.name == name) return row.kind;
  return K::internal;
}

std::string Error::describe() const {
  std::string text = message;
  text += " (";
  text += info(kind).name;
  text += "). ";
  text += remedy_or_default();
  return text;
}

Error system_error(int error_number, std::string_view action, std::string_view object) {
  std::string message(action);
  message += ' ';
  message += object;
  message += ": ";
  message += std::generic_category().message(error_number);
  return Error{kind_of_errno(error_number), std::move(message), {}};
}

}  // namespace shoal
