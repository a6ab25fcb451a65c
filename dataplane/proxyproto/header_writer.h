// Writes the header a connection to an upstream begins with.
//
// Once per connection. No state, no allocation.
#pragma once

#include "dataplane/proxyproto/proxy_header.h"

namespace sluice::proxyproto {

// No header written is longer.
inline constexpr size_t kWrittenBytesMax = 107;

// Each returns the bytes written, at most kWrittenBytesMax; none for kNone.

// For a client's request. Where one end is IPv4 and the other IPv6, IPv4 appears in its v4-mapped
// form.
size_t WriteHeader(HeaderVersion version, const ConnectionEnds& ends, char* out);
// For a connection of our own, like a health check: LOCAL, or UNKNOWN.
size_t WriteLocalHeader(HeaderVersion version, char* out);

}  // namespace sluice::proxyproto
