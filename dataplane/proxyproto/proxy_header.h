// What a header of the PROXY protocol says (haproxy's proxy-protocol.txt, versions 1 and 2): from
// where to where the connection goes that is carried by the one it stands on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/address.h"

namespace sluice::proxyproto {

enum class HeaderVersion : uint8_t { kNone, kV1, kV2 };

inline constexpr std::string_view kV1Signature = "PROXY ";
inline constexpr std::string_view kV2Signature{"\r\n\r\n\0\r\nQUIT\n", 12};

struct ConnectionEnds {
  base::IpBytes source{}, destination{};
  uint16_t source_port = 0, destination_port = 0;
  bool operator==(const ConnectionEnds&) const = default;
};

}  // namespace sluice::proxyproto
