// Serves a directory of static files: GET and HEAD, single ranges (RFC 9110), strong ETag,
// If-None-Match, If-Range. Never a path with "..", a hidden file, or through a symbolic link.
#pragma once

#include "base/beneath_dir.hpp"
#include "http/server.hpp"

namespace shoal::http {

// The answer for a request; the directory must outlive the handler that calls this.
Response serve_static(const BeneathDir& directory, const Request& request);

}  // namespace shoal::http
