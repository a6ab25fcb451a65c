// The name a client asks for in the first bytes of TLS (RFC 8446 section 4.1.2, RFC 6066 section
// 3), read without being a party to it.
//
// No state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::tls {

// Records and all; larger ones are not read.
inline constexpr size_t kClientHelloBytesMax = 16 * 1024;

struct ClientHello {
  enum class State : uint8_t {
    kNeedMore,
    kDone,
    kNotTls,  // Another protocol, or no ClientHello that could be one.
  };
  State state = State::kNeedMore;
  std::string server_name;  // In lower case; empty if the client names none.
};

// `bytes`: all that has come.
ClientHello ReadClientHello(std::string_view bytes);

}  // namespace sluice::tls
