// Reads the header a connection begins with, strictly: whoever is believed about a client's address
// has to say it as the specification does.
//
// Once per connection, and again for every piece in which a header arrives. No state, no
// allocation.
#pragma once

#include <string_view>

#include "dataplane/proxyproto/proxy_header.h"

namespace sluice::proxyproto {

// Section 2.1, with CR LF.
inline constexpr size_t kV1BytesMax = 107;
// Fixed part, addresses and TLVs of version 2; the specification allows 64 KiB. Beyond: malformed.
inline constexpr size_t kHeaderBytesMax = 4096;

enum class HeaderState : uint8_t {
  kDone,
  kNeedMore,   // Never with kHeaderBytesMax bytes or more.
  kAbsent,     // What comes is something else.
  kMalformed,  // It began like a header.
};

struct ParsedHeader {
  HeaderState state = HeaderState::kNeedMore;
  size_t bytes = 0;         // Of the header, when done; what follows belongs to the connection.
  bool names_ends = false;  // Otherwise (UNKNOWN, LOCAL, not TCP) the connection's own ends count.
  ConnectionEnds ends;
};

// `bytes`: everything received so far.
ParsedHeader ParseHeader(std::string_view bytes);

// The checksum of its TLV (RFC 3720 appendix B.4). `crc`: of what comes before `bytes`.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);

}  // namespace sluice::proxyproto
