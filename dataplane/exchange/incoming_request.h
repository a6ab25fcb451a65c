// A request as a connection received it, before anything was decided about it.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/address.h"
#include "dataplane/http/message.h"
#include "dataplane/tls/client_identity.h"

namespace sluice::exchange {

// Views live as long as the exchange.
struct IncomingRequest {
  const http::RequestHead* head = nullptr;
  std::string_view authority;         // Host field, or the target's authority where it has one.
  std::string_view path;              // Raw; "*" for OPTIONS *.
  std::string_view query;             // With its "?"; empty if there is none.
  std::string_view scheme;            // http or https, as the client spoke to us.
  std::string_view protocol;          // HTTP/1.0, HTTP/1.1
  std::string_view connect_protocol;  // :protocol of an extended CONNECT (RFC 8441); else empty.
  std::string_view server_name;       // As the client asked for it in TLS (SNI); else empty.
  std::string_view peer_ip;           // Text.
  base::IpBytes peer{};
  uint16_t peer_port = 0;
  int client_fd = -1;                             // The connection's socket.
  const tls::ClientIdentity* identity = nullptr;  // By the client's certificate; null: none.
  uint32_t service = 0;                           // Index into RuntimeConfig::services.
  int64_t started_micros = 0;                     // Monotonic, of the head's first byte.
};

}  // namespace sluice::exchange
